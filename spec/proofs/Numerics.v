(** Certified numbers, by interval arithmetic: what a reader may quote. *)
Require Import Reals Lra ZArith List.
From Coquelicot Require Import Coquelicot.
From Interval Require Import Tactic.
Require Import TLap VectorTLap Taylor PoissonTail Exhibits.
Open Scope R_scope.

(** noise.truncated_laplace_normaliser: B = 13.66 for Delta = 1, eps = 1, delta = 10^-6. *)
Example tlap_B_example : 13.663 <= tl_B 1 1 (1/1000000) <= 13.664.
Proof. unfold tl_B, tl_b, tl_L. split; interval. Qed.

(** [fact] is a unary nat: never let [simpl]/[vm_compute] loose on [INR (fact 21)]. *)
Lemma INR_fact_S (n : nat) : INR (Factorial.fact (S n)) = IZR (Z.of_nat (S n)) * INR (Factorial.fact n).
Proof. change (Factorial.fact (S n)) with (S n * Factorial.fact n)%nat. rewrite mult_INR, (INR_IZR_INZ (S n)). reflexivity. Qed.
Lemma INR_fact_0 : INR (Factorial.fact 0) = 1. Proof. reflexivity. Qed.

(** kernel.relative_error_signed: degree 20 on |x| <= 4 has relative error below 10^-5. *)
Example taylor_20_on_4 (x : R) : Rabs x <= 4 -> Rabs (texp 20 x - exp x) <= 1/100000 * exp x.
Proof.
  intros Hx. eapply Rle_trans; [apply (exp_taylor_relative 20 4 x Hx)|].
  apply Rmult_le_compat_r; [left; apply exp_pos|].
  rewrite !INR_fact_S, INR_fact_0. cbn [Z.of_nat Pos.of_succ_nat Pos.succ].
  interval.
Qed.

(** kernel.relative_error: degree 10 on [0, 1] has relative error below 2 10^-8, through the exact formula. *)
Example eps_s_10_at_1 : eps_s 10 1 <= 2/100000000.
Proof.
  unfold eps_s, texp. cbn [sum_f_R0]. rewrite !INR_fact_S, INR_fact_0. cbn [Z.of_nat Pos.of_succ_nat Pos.succ].
  interval with (i_prec 100).
Qed.

(** Exhibit "budget split by log2 n": the violation is real. For a tree over 2^10 leaves, eps = 1, delta = 10^-6, the
    11 nodes of one path with noise TLap(1, 1/10, 10^-6/10) each are not even (1, 4.6 10^-5)-DP. *)
Example budget_split_1024_leaves (W : R) :
  let e0 := 1 / INR 10 in
  let d0 := 1/1000000 / INR 10 in
  let event := repeat (1 - tl_B 1 e0 d0, 0) 11 in
  tl_B 1 e0 d0 <= W ->
  exp 1 * box_prob 1 e0 d0 W event (repeat 1 11) + 46/1000000 < box_prob 1 e0 d0 W event (repeat 0 11).
Proof.
  intros e0 d0 event HW. assert (E : INR 10 = 10) by (simpl; lra).
  assert (Hd0 : 0 < d0 <= / 2) by (unfold d0; rewrite E; lra).
  assert (He0 : 0 < e0) by (unfold e0; rewrite E; lra).
  pose proof (B_pos 1 e0 d0 ltac:(lra) He0 Hd0) as PB.
  destruct (near_probabilities 1 e0 d0 ltac:(lra) He0 Hd0 W HW ltac:(lra)) as [P Q].
  unfold event. rewrite (repeat_box_prob 1 e0 d0 W 0 _ _ _ 11 P), (repeat_box_prob 1 e0 d0 W 1 _ _ _ 11 Q).
  unfold e0, d0. rewrite E. interval with (i_prec 60).
Qed.
