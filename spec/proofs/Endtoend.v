(** The pieces together: approximate kernel, then additive noise, then the ratio. *)
Require Import Reals Lra Lia Psatz.
From Coquelicot Require Import Coquelicot.
Require Import Sums Cosine Ratio Taylor.
Open Scope R_scope.

(** attention.end_to_end: kernel of relative error es, then noise e1 and e2 on the approximate numerator and
    denominator: the distance of the released answer from exact attention. *)
Theorem released_error (n : nat) (a b v : nat -> R) (es V e1 e2 : R) :
  (0 < n)%nat ->
  (forall i, (i < n)%nat -> 0 < a i) ->
  0 <= es < 1 ->
  (forall i, (i < n)%nat -> Rabs (b i - a i) <= es * a i) ->
  (forall i, (i < n)%nat -> Rabs (v i) <= V) ->
  Rabs e2 <= sumn n b / 2 ->
  Rabs ((sumn n (fun i => b i * v i) + e1) / (sumn n b + e2) - wavg n a v)
    <= 2 / sumn n b * (Rabs e1 + V * Rabs e2) + signed_error es V.
Proof.
  intros Hn Ha Hes Hrel Hv He2.
  assert (Hb : forall i, (i < n)%nat -> 0 < b i).
  { intros i Hi. specialize (Hrel i Hi). apply abs_le_iff in Hrel. specialize (Ha i Hi). nra. }
  assert (PD : 0 < sumn n b) by (apply sumn_pos; auto).
  assert (HV : 0 <= V).
  { specialize (Hv 0%nat Hn). pose proof (Rabs_pos (v 0%nat)). lra. }
  assert (W : Rabs (wavg n b v) <= V).
  { unfold wavg. unfold Rdiv. rewrite Rabs_mult, (Rabs_pos_eq (/ _)) by (left; apply Rinv_0_lt_compat; auto).
    apply Rmult_le_reg_r with (sumn n b); auto.
    rewrite Rmult_assoc, Rinv_l, Rmult_1_r by lra.
    eapply Rle_trans; [apply sumn_abs|]. rewrite <- sumn_scal. apply sumn_le; intros i Hi.
    rewrite Rabs_mult, (Rabs_pos_eq (b i)) by (left; auto).
    rewrite Rmult_comm. apply Rmult_le_compat_r; auto. left; auto. }
  replace ((sumn n (fun i => b i * v i) + e1) / (sumn n b + e2) - wavg n a v)
    with (((sumn n (fun i => b i * v i) + e1) / (sumn n b + e2) - wavg n b v)
          + (wavg n b v - wavg n a v)) by ring.
  eapply Rle_trans; [apply Rabs_triang|]. apply Rplus_le_compat.
  - eapply Rle_trans; [apply noisy_ratio_error_half; auto|].
    apply Rmult_le_compat_l; [left; apply Rdiv_lt_0_compat; lra|].
    apply Rplus_le_compat_l. apply Rmult_le_compat_r; auto using Rabs_pos.
  - now apply softmax_absolute_error_sharp.
Qed.

(** attention.end_to_end: the same with exp(<k, q>) truncated at degree s, for |<k, q>| <= r. *)
Theorem released_error_taylor (n d s : nat) (K : nat -> nat -> R) (q v : nat -> R) (r V e1 e2 : R) :
  let a := fun i => exp (dot d (K i) q) in
  let b := fun i => texp s (dot d (K i) q) in
  let es := r ^ S s * exp r / INR (fact (S s)) in
  (0 < n)%nat -> 0 <= r -> es < 1 ->
  (forall i, (i < n)%nat -> Rabs (dot d (K i) q) <= r) ->
  (forall i, (i < n)%nat -> Rabs (v i) <= V) ->
  Rabs e2 <= sumn n b / 2 ->
  Rabs ((sumn n (fun i => b i * v i) + e1) / (sumn n b + e2) - wavg n a v)
    <= 2 / sumn n b * (Rabs e1 + V * Rabs e2) + signed_error es V.
Proof.
  intros a b es Hn Hr Hes Hk Hv He2.
  apply released_error; auto.
  - intros i _. apply exp_pos.
  - split; auto. unfold es. apply Rmult_le_pos; [|left; apply Rinv_0_lt_compat, INR_fact_lt_0].
    apply Rmult_le_pos; [now apply pow_le | left; apply exp_pos].
  - intros i Hi. unfold a, b, es. apply exp_taylor_relative; auto.
Qed.

(** attention.end_to_end: weights within lo..hi of the exact ones, whose sum is at least D; noise at most E1 on the
    numerator and E2 < D on the denominator: error at most interval_error + (E1 + V E2)/(D - E2). *)
Theorem released_error_interval (n : nat) (a b v : nat -> R) (lo hi V D E1 E2 e1 e2 : R) :
  (0 < n)%nat ->
  (forall i, (i < n)%nat -> 0 < a i) -> 0 < lo ->
  (forall i, (i < n)%nat -> lo * a i <= b i <= hi * a i) ->
  (forall i, (i < n)%nat -> Rabs (v i) <= V) ->
  D <= sumn n b -> Rabs e1 <= E1 -> Rabs e2 <= E2 -> E2 < D ->
  Rabs ((sumn n (fun i => b i * v i) + e1) / (sumn n b + e2) - wavg n a v)
    <= interval_error lo hi V + (E1 + V * E2) / (D - E2).
Proof.
  intros Hn Ha Hlo Hb Hv HD H1 H2 HE.
  assert (Pb : forall i, (i < n)%nat -> 0 < b i).
  { intros i Hi. destruct (Hb i Hi). specialize (Ha i Hi). nra. }
  assert (P2 := Rabs_pos e2). assert (P1 := Rabs_pos e1).
  assert (W : Rabs (wavg n b v) <= V).
  { apply abs_le_iff. apply wavg_between; auto. intros i Hi. apply abs_le_iff. auto. }
  replace ((sumn n (fun i => b i * v i) + e1) / (sumn n b + e2) - wavg n a v)
    with (((sumn n (fun i => b i * v i) + e1) / (sumn n b + e2) - wavg n b v) + (wavg n b v - wavg n a v)) by ring.
  eapply Rle_trans; [apply Rabs_triang|]. rewrite Rplus_comm. apply Rplus_le_compat.
  - now apply ratio_absolute_sharp.
  - eapply Rle_trans; [apply noisy_ratio_error; lra|]. fold (wavg n b v).
    assert (Rabs (wavg n b v) * Rabs e2 <= V * E2) by (apply Rmult_le_compat; auto using Rabs_pos).
    unfold Rdiv. apply Rmult_le_compat.
    + pose proof (Rmult_le_pos _ _ (Rabs_pos (wavg n b v)) P2). lra.
    + left. apply Rinv_0_lt_compat. lra.
    + lra.
    + apply Rinv_le_contravar; lra.
Qed.
