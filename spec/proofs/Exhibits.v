(** Exhibits: published statements that fail when read literally, each with its counterexample as a theorem. *)
Require Import Reals Lra Lia Psatz List.
From Coquelicot Require Import Coquelicot.
Require Import Sums IntTools Ratio DP FiniteDP TLap TLapFull VectorTLap.
Open Scope R_scope.

(** Exhibit "relative error for signed values": no constant c bounds the error of the softmax ratio by c times the
    exact answer. Values (1, -1) with equal weights cancel exactly; the perturbed weights do not. *)
Theorem relative_error_signed_fails (e c : R) : 0 < e < 1 ->
  exists a b v : nat -> R,
    (forall i, (i < 2)%nat -> 0 < a i) /\
    (forall i, (i < 2)%nat -> Rabs (b i - a i) <= e * a i) /\
    (forall i, (i < 2)%nat -> Rabs (v i) <= 1) /\
    c * Rabs (wavg 2 a v) < Rabs (wavg 2 b v - wavg 2 a v).
Proof.
  intros He. exists (fun _ => 1), (fun i => match i with O => 1 + e | _ => 1 - e end),
    (fun i => match i with O => 1 | _ => -1 end). repeat split.
  - intros; lra.
  - intros [|i] _; apply Rabs_le; lra.
  - intros [|i] _; apply Rabs_le; lra.
  - match goal with |- _ * Rabs ?x < Rabs (?y - _) => assert (X : x = 0); [|assert (Y : y = e)] end.
    + unfold wavg; simpl. field.
    + unfold wavg; simpl. field. lra.
    + rewrite X, Y, Rminus_0_r, Rabs_R0, Rmult_0_r, Rabs_pos_eq; lra.
Qed.

(** Exhibits "the normaliser without noise" and "prefix sums without noise": a statistic that differs between
    neighbours, released exactly, is (eps, delta)-DP for no delta below 1. *)
Theorem exact_release_fails (x x' eps delta : R) : x <> x' -> delta < 1 ->
  ~ dp any eps delta (fun f : R -> R => f x) (fun f => f x').
Proof.
  intros Hne Hd H. specialize (H (fun y => if Req_EM_T y x then 1 else 0)).
  assert (T : test (fun y => if Req_EM_T y x then 1 else 0)) by (intros y; destruct (Req_EM_T y x); lra).
  specialize (H T I). cbv beta in H. destruct (Req_EM_T x x); [|contradiction].
  destruct (Req_EM_T x' x); [congruence|]. lra.
Qed.

(** ** Exhibit "budget split by log2 n": a leaf meets h + 1 nodes, the published split has h parts. *)
Section Split.
Variables (c eps delta : R).
Hypothesis Hc : 0 < c.
Hypothesis He : 0 < eps.
Hypothesis Hd : 0 < delta <= / 2.
Notation pdf := (tl_pdf c eps delta).
Notation B := (tl_B c eps delta).

(** The mass of the half-support that stays in the common support after a shift by c. *)
Lemma near_mass : is_RInt pdf (c - B) 0 (/ 2 - delta).
Proof.
  pose proof (Delta_le_B c eps delta Hc He Hd) as HB.
  assert (H1 : is_RInt pdf 0 (B - c) (/ 2 - delta)).
  { eapply is_RInt_eq; [apply is_RInt_pos; auto; lra|].
    pose proof (tlap_tail_mass c eps delta Hc He Hd) as T1.
    pose proof (is_RInt_pos c eps delta Hc He (B - c) B ltac:(lra) ltac:(lra) ltac:(lra)) as T2.
    pose proof (is_RInt_unique (V := R_CompleteNormedModule) _ _ _ _ T1) as U1.
    pose proof (is_RInt_unique (V := R_CompleteNormedModule) _ _ _ _ T2) as U2.
    assert (E : tl_C c eps delta * tl_b c eps * (exp (- ((B - c) / tl_b c eps)) - exp (- (B / tl_b c eps))) = delta)
      by exact (eq_trans (eq_sym U2) U1).
    pose proof (mass_const c eps delta Hc He Hd) as M. rewrite B_over_b in E by auto.
    unfold Rdiv at 1. rewrite Rmult_0_l, Ropp_0, exp_0. lra. }
  pose proof (is_RInt_even _ _ _ _ (pdf_even c eps delta) H1) as H2.
  rewrite Ropp_0 in H2. now replace (- (B - c)) with (c - B) in H2 by ring.
Qed.

Lemma near_ratio z : c - B < z < 0 -> pdf (z - c) = exp (- eps) * pdf z.
Proof.
  intros Hz. unfold tl_pdf. rewrite !Rabs_left by lra.
  destruct (Rle_dec (- (z - c)) B); [|lra]. destruct (Rle_dec (- z) B); [|lra].
  replace (- (eps * - (z - c) / c)) with (- eps + - (eps * - z / c)) by (field; lra). rewrite exp_plus. ring.
Qed.

(** Probability of the event c - B <= output < 0 for data 0 and for data c. *)
Lemma near_probabilities (W : R) : B <= W -> 0 <= W ->
  at_centre c eps delta W 0 (ind (c - B) 0) = / 2 - delta /\
  at_centre c eps delta W c (ind (c - B) 0) = exp (- eps) * (/ 2 - delta).
Proof.
  intros HW H0. pose proof (Delta_le_B c eps delta Hc He Hd) as HB. unfold at_centre. split; apply is_RInt_unique.
  - apply (cut_full (c - B) 0 (fun z => pdf (z - 0))); try lra.
    + apply (ind_cut (c - B) 0 (fun z => pdf (z - 0))).
    + apply is_RInt_ext with pdf; [|apply near_mass]. intros z _. now rewrite Rminus_0_r.
  - apply (cut_full (c - B) 0 (fun z => pdf (z - c))); try lra.
    + apply (ind_cut (c - B) 0 (fun z => pdf (z - c))).
    + apply is_RInt_ext with (fun z => scal (exp (- eps)) (pdf z)).
      * intros z. rewrite Rmin_left, Rmax_right by lra. intros Hz. symmetry. now apply near_ratio.
      * apply (is_RInt_scal (V := R_NormedModule)). apply near_mass.
Qed.

Lemma repeat_box_prob (W m q : R) (a b : R) (k : nat) : at_centre c eps delta W m (ind a b) = q ->
  box_prob c eps delta W (repeat (a, b) k) (repeat m k) = q ^ k.
Proof. intros E. induction k as [|k IH]; [reflexivity|]. cbn [repeat box_prob pow]. now rewrite E, IH. Qed.
End Split.

(** Exhibit "budget split by log2 n": noise TLap(c, eps/h, delta/h) on the h + 1 nodes of one leaf's path, whose
    value changes from 0 to c. The event "every one of these nodes comes out in [c - B, 0)" violates
    (eps, delta)-DP as soon as delta is below (1/2 - delta/h)^(h+1) (1 - e^(-eps/h)). *)
Theorem budget_split_by_height_fails (h : nat) (c eps delta W : R) :
  let e0 := eps / INR h in
  let d0 := delta / INR h in
  let k := (h + 1)%nat in
  let event := repeat (c - tl_B c e0 d0, 0) k in
  (0 < h)%nat -> 0 < c -> 0 < eps -> 0 < d0 <= / 2 -> tl_B c e0 d0 <= W ->
  delta < (/ 2 - d0) ^ k * (1 - exp (- e0)) ->
  exp eps * box_prob c e0 d0 W event (repeat c k) + delta < box_prob c e0 d0 W event (repeat 0 k).
Proof.
  intros e0 d0 k event Hh Hc He Hd0 HW Hsmall.
  assert (Ph : 0 < INR h) by (apply lt_0_INR; lia).
  assert (He0 : 0 < e0) by now apply Rdiv_lt_0_compat.
  pose proof (B_pos c e0 d0 Hc He0 Hd0) as PB.
  destruct (near_probabilities c e0 d0 Hc He0 Hd0 W HW ltac:(lra)) as [P Q].
  unfold event. rewrite (repeat_box_prob c e0 d0 W 0 _ _ _ k P), (repeat_box_prob c e0 d0 W c _ _ _ k Q).
  rewrite Rpow_mult_distr.
  assert (E : exp (- e0) ^ k = exp (- eps - e0)).
  { unfold k, e0. rewrite <- Rpower_pow by apply exp_pos. unfold Rpower. rewrite ln_exp.
    rewrite plus_INR. f_equal. simpl INR. field. lra. }
  rewrite E. replace (exp eps * (exp (- eps - e0) * (/ 2 - d0) ^ k)) with (exp (- e0) * (/ 2 - d0) ^ k).
  - lra.
  - rewrite <- Rmult_assoc, <- exp_plus. f_equal. f_equal. ring.
Qed.

(** "Sharper than composition" is false for the bound B: k coordinates of sensitivity Delta/k each, with the budget
    split evenly, need no wider support than one calibration of the vector form to the l1-sensitivity Delta. *)
Theorem split_bound_at_most_vector_bound (k : nat) (Delta eps delta : R) :
  (0 < k)%nat -> 0 < Delta -> 0 < eps -> 0 < delta ->
  tl_B (Delta / INR k) (eps / INR k) (delta / INR k) <= tl_B Delta eps delta.
Proof.
  intros Hk HD He Hd. assert (Pk : 0 < INR k) by (apply lt_0_INR; lia). unfold tl_B.
  replace (tl_b (Delta / INR k) (eps / INR k)) with (tl_b Delta eps) by (unfold tl_b; field; lra).
  apply Rmult_le_compat_l; [left; now apply Rdiv_lt_0_compat|]. unfold tl_L.
  set (u := exp (eps / INR k) - 1).
  assert (Hu : 0 < u).
  { unfold u. assert (exp 0 < exp (eps / INR k)) by (apply exp_increasing; now apply Rdiv_lt_0_compat).
    rewrite exp_0 in *. lra. }
  assert (Bern : forall n, 1 + INR n * u <= (1 + u) ^ n).
  { induction n as [|n IH]; [simpl; lra|]. rewrite S_INR. cbn [pow]. pose proof (pos_INR n). nra. }
  assert (E : exp eps = (1 + u) ^ k).
  { unfold u. replace (1 + (exp (eps / INR k) - 1)) with (exp (eps / INR k)) by ring.
    rewrite <- Rpower_pow by apply exp_pos. unfold Rpower. rewrite ln_exp. f_equal. field. lra. }
  apply ln_le.
  - assert (0 < u / (2 * (delta / INR k))); [|lra]. apply Rdiv_lt_0_compat; auto.
    apply Rmult_lt_0_compat; [lra|]. now apply Rdiv_lt_0_compat.
  - apply Rplus_le_compat_l. rewrite E. replace (u / (2 * (delta / INR k))) with (INR k * u / (2 * delta)) by (field; lra).
    unfold Rdiv. apply Rmult_le_compat_r; [left; apply Rinv_0_lt_compat; lra|]. specialize (Bern k). lra.
Qed.
