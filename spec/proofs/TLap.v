(** Truncated Laplace mechanism (Geng et al.): density, privacy, variance. *)
Require Import Reals Lra Lia Psatz.
From Coquelicot Require Import Coquelicot.
Require Import IntTools.
Open Scope R_scope.

Section TLap.
Variables Delta eps delta : R.
Hypothesis HD : 0 < Delta.
Hypothesis He : 0 < eps.
Hypothesis Hd : 0 < delta <= / 2.

Definition tl_L : R := ln (1 + (exp eps - 1) / (2 * delta)).
Definition tl_b : R := Delta / eps.
Definition tl_B : R := tl_b * tl_L.
Definition tl_C : R := eps / (2 * Delta * (1 - exp (- (eps * tl_B / Delta)))).
(** Density, as a total function on R. *)
Definition tl_pdf (z : R) : R :=
  if Rle_dec (Rabs z) tl_B then tl_C * exp (- (eps * Rabs z / Delta)) else 0.

Lemma exp_eps_gt1 : 1 < exp eps.
Proof. rewrite <- exp_0. now apply exp_increasing. Qed.

Lemma arg_pos : 0 < (exp eps - 1) / (2 * delta).
Proof. pose proof exp_eps_gt1. apply Rdiv_lt_0_compat; lra. Qed.

Lemma exp_L : exp tl_L = 1 + (exp eps - 1) / (2 * delta).
Proof. apply exp_ln. pose proof arg_pos. lra. Qed.

Lemma b_pos : 0 < tl_b.
Proof. now apply Rdiv_lt_0_compat. Qed.

Lemma L_ge_eps : eps <= tl_L.
Proof.
  pose proof exp_eps_gt1. rewrite <- (ln_exp eps). apply ln_le; [apply exp_pos|].
  assert (exp eps - 1 <= (exp eps - 1) / (2 * delta)); [|lra].
  apply Rmult_le_reg_r with (2 * delta); [lra|].
  replace ((exp eps - 1) / (2 * delta) * (2 * delta)) with (exp eps - 1) by (field; lra). nra.
Qed.

(** The support is at least as wide as the sensitivity. *)
Lemma Delta_le_B : Delta <= tl_B.
Proof.
  unfold tl_B, tl_b. pose proof L_ge_eps.
  replace Delta with (Delta / eps * eps) at 1 by (field; lra).
  apply Rmult_le_compat_l; auto. left. now apply Rdiv_lt_0_compat.
Qed.

Lemma B_pos : 0 < tl_B. Proof. pose proof Delta_le_B; lra. Qed.

Lemma rate_B : eps * tl_B / Delta = tl_L.
Proof. unfold tl_B, tl_b. field. lra. Qed.

Lemma exp_mL_lt1 : 0 < exp (- tl_L) < 1.
Proof.
  split; [apply exp_pos|]. rewrite <- exp_0. apply exp_increasing.
  pose proof L_ge_eps. lra.
Qed.

Lemma C_eq : tl_C = / (2 * tl_b * (1 - exp (- tl_L))).
Proof.
  unfold tl_C. rewrite rate_B. unfold tl_b. pose proof exp_mL_lt1. field. lra.
Qed.

Lemma C_pos : 0 < tl_C.
Proof.
  rewrite C_eq. apply Rinv_0_lt_compat. pose proof exp_mL_lt1. pose proof b_pos.
  apply Rmult_lt_0_compat; lra.
Qed.

Lemma pdf_nonneg z : 0 <= tl_pdf z.
Proof.
  unfold tl_pdf. destruct (Rle_dec _ _); [|lra].
  pose proof C_pos. pose proof (exp_pos (- (eps * Rabs z / Delta))). nra.
Qed.

Lemma pdf_even z : tl_pdf (- z) = tl_pdf z.
Proof. unfold tl_pdf. now rewrite Rabs_Ropp. Qed.

Lemma pdf_in z : 0 <= z <= tl_B -> tl_pdf z = tl_C * exp (- (z / tl_b)).
Proof.
  intros Hz. unfold tl_pdf. rewrite Rabs_pos_eq by lra.
  destruct (Rle_dec z tl_B); [|lra]. do 3 f_equal. unfold tl_b. field. lra.
Qed.

(** Antiderivatives on the positive half-line. *)
Lemma is_RInt_pos x y : 0 <= x -> x <= y -> y <= tl_B ->
  is_RInt tl_pdf x y (tl_C * tl_b * (exp (- (x / tl_b)) - exp (- (y / tl_b)))).
Proof.
  intros Hx Hxy Hy. pose proof b_pos.
  apply is_RInt_ext with (fun z => tl_C * exp (- (z / tl_b))).
  { intros z. rewrite Rmin_left, Rmax_right by auto. intros Hz. symmetry. apply pdf_in. lra. }
  replace (tl_C * tl_b * (exp (- (x / tl_b)) - exp (- (y / tl_b))))
    with (minus ((fun z => - (tl_C * tl_b) * exp (- (z / tl_b))) y)
                ((fun z => - (tl_C * tl_b) * exp (- (z / tl_b))) x)).
  2:{ unfold minus, plus, opp; simpl. ring. }
  apply (is_RInt_derive (fun z => - (tl_C * tl_b) * exp (- (z / tl_b)))).
  - intros z _. auto_derive; [auto|]. unfold Rdiv. field. lra.
  - intros z _. apply (ex_derive_continuous (fun z => tl_C * exp (- (z / tl_b)))).
    auto_derive. auto.
Qed.


Lemma mass_const : tl_C * tl_b * (1 - exp (- tl_L)) = / 2.
Proof.
  rewrite C_eq. pose proof b_pos. pose proof exp_mL_lt1. field. lra.
Qed.

Lemma B_over_b : tl_B / tl_b = tl_L.
Proof. unfold tl_B. pose proof b_pos. field. lra. Qed.

(** noise.truncated_laplace_normaliser: the density integrates to one over its support [-B, B]. *)
Theorem tlap_total_mass : is_RInt tl_pdf (- tl_B) tl_B 1.
Proof.
  pose proof B_pos.
  assert (H1 : is_RInt tl_pdf 0 tl_B (/ 2)).
  { eapply is_RInt_eq; [apply is_RInt_pos; lra|].
    rewrite B_over_b. unfold Rdiv at 1. rewrite Rmult_0_l, Ropp_0, exp_0. apply mass_const. }
  apply is_RInt_eq with (/ 2 + / 2); [|field].
  apply is_RInt_join with 0; auto.
  pose proof (is_RInt_even _ _ _ _ pdf_even H1) as H2. now rewrite Ropp_0 in H2.
Qed.

(** noise.truncated_laplace_tail: the last stretch of length Delta has mass exactly delta, P[z > B - Delta] = delta. *)
Theorem tlap_tail_mass : is_RInt tl_pdf (tl_B - Delta) tl_B delta.
Proof.
  pose proof Delta_le_B. pose proof b_pos as Hb. pose proof exp_mL_lt1 as HL.
  eapply is_RInt_eq; [apply is_RInt_pos; lra|].
  rewrite B_over_b.
  replace ((tl_B - Delta) / tl_b) with (tl_L - eps) by (unfold tl_B, tl_b; field; lra).
  replace (exp (- (tl_L - eps))) with (exp eps * exp (- tl_L)) by (rewrite <- exp_plus; f_equal; ring).
  pose proof mass_const as M. pose proof exp_L as EL. pose proof exp_eps_gt1.
  assert (Em : exp (- tl_L) = / (1 + (exp eps - 1) / (2 * delta))) by (rewrite exp_Ropp, EL; auto).
  apply Rmult_eq_reg_r with (1 - exp (- tl_L)); [|lra].
  replace (tl_C * tl_b * (exp eps * exp (- tl_L) - exp (- tl_L)) * (1 - exp (- tl_L)))
    with ((tl_C * tl_b * (1 - exp (- tl_L))) * (exp (- tl_L) * (exp eps - 1))) by ring.
  rewrite M, Em. field. lra.
Qed.

(** noise.truncated_laplace_tail: and so has the first stretch. *)
Theorem tlap_tail_mass_left : is_RInt tl_pdf (- tl_B) (- tl_B + Delta) delta.
Proof.
  pose proof (is_RInt_even _ _ _ _ pdf_even tlap_tail_mass) as H.
  now replace (- (tl_B - Delta)) with (- tl_B + Delta) in H by ring.
Qed.

(** noise.truncated_laplace_privacy: inside the support, densities at distance at most Delta differ by at most e^eps. *)
Theorem tlap_pointwise (z z' : R) :
  Rabs z <= tl_B -> Rabs z' <= tl_B -> Rabs (z - z') <= Delta ->
  tl_pdf z <= exp eps * tl_pdf z'.
Proof.
  intros H H' Hz. unfold tl_pdf.
  destruct (Rle_dec (Rabs z) tl_B); [|lra]. destruct (Rle_dec (Rabs z') tl_B); [|lra].
  replace (exp eps * (tl_C * exp (- (eps * Rabs z' / Delta))))
    with (tl_C * exp (eps + - (eps * Rabs z' / Delta))) by (rewrite exp_plus; ring).
  apply Rmult_le_compat_l; [left; apply C_pos|].
  assert (A : - (eps * Rabs z / Delta) <= eps + - (eps * Rabs z' / Delta)).
  { pose proof (Rabs_triang_inv z' z) as T. rewrite Rabs_minus_sym in T.
    assert (eps * (Rabs z' - Rabs z) / Delta <= eps).
    { apply Rmult_le_reg_r with Delta; auto.
      replace (eps * (Rabs z' - Rabs z) / Delta * Delta) with (eps * (Rabs z' - Rabs z)) by (field; lra).
      apply Rmult_le_compat_l; lra. }
    replace (eps * Rabs z' / Delta) with (eps * Rabs z / Delta + eps * (Rabs z' - Rabs z) / Delta) by (field; lra).
    lra. }
  destruct A as [A|A]; [left; now apply exp_increasing | rewrite A; lra].
Qed.

(** Integrability of the density on any interval. *)
Lemma pdf_cut : cut_of (- tl_B) tl_B tl_pdf tl_pdf.
Proof.
  split; auto. intros u Hu. unfold tl_pdf.
  destruct (Rle_dec (Rabs u) tl_B) as [A|A]; auto. apply Rabs_le_between in A; lra.
Qed.

Lemma ex_RInt_pdf x y : x <= y -> ex_RInt tl_pdf x y.
Proof.
  intros Hxy. pose proof B_pos.
  apply (cut_any (- tl_B) tl_B tl_pdf tl_pdf 1 x y pdf_cut);
    auto using tlap_total_mass, pdf_nonneg. lra.
Qed.

Lemma ex_RInt_pdf_shift m x y : x <= y -> ex_RInt (fun z => tl_pdf (z - m)) x y.
Proof.
  intros Hxy. destruct (ex_RInt_pdf (x - m) (y - m) ltac:(lra)) as [l Hl].
  exists l. now apply is_RInt_shift.
Qed.

(** Pointwise domination with the exceptional set in one tail of length Delta. *)
Definition tail_lo (m m' : R) : R := if Rle_dec m m' then - tl_B else tl_B - Delta.
Definition tl_tail (m m' u : R) : R :=
  if Rle_dec (tail_lo m m') u then (if Rle_dec u (tail_lo m m' + Delta) then tl_pdf u else 0) else 0.

Lemma tail_nonneg m m' u : 0 <= tl_tail m m' u.
Proof.
  unfold tl_tail. pose proof (pdf_nonneg u).
  destruct (Rle_dec (tail_lo m m') u); [|lra]. destruct (Rle_dec u (tail_lo m m' + Delta)); lra.
Qed.

Lemma tail_cut m m' : cut_of (tail_lo m m') (tail_lo m m' + Delta) tl_pdf (tl_tail m m').
Proof.
  split; intros u Hu; unfold tl_tail;
  destruct (Rle_dec (tail_lo m m') u), (Rle_dec u (tail_lo m m' + Delta)); try lra; auto.
Qed.

Lemma tail_mass m m' : is_RInt tl_pdf (tail_lo m m') (tail_lo m m' + Delta) delta.
Proof.
  unfold tail_lo. destruct (Rle_dec m m').
  - apply tlap_tail_mass_left.
  - pose proof tlap_tail_mass as H.
    now replace tl_B with (tl_B - Delta + Delta) in H at 2 by ring.
Qed.

Lemma tl_dominate (m m' f z : R) : Rabs (m - m') <= Delta -> 0 <= f <= 1 ->
  f * tl_pdf (z - m) <= exp eps * (f * tl_pdf (z - m')) + tl_tail m m' (z - m).
Proof.
  intros Hm Hf. pose proof (exp_pos eps) as HE.
  pose proof (tail_nonneg m m' (z - m)) as T.
  pose proof (pdf_nonneg (z - m)) as P. pose proof (pdf_nonneg (z - m')) as P'.
  assert (PP : 0 <= exp eps * (f * tl_pdf (z - m'))).
  { apply Rmult_le_pos; [lra|]. apply Rmult_le_pos; lra. }
  destruct (Rle_dec (Rabs (z - m)) tl_B) as [S|S].
  2:{ assert (Z : tl_pdf (z - m) = 0).
      { unfold tl_pdf. destruct (Rle_dec _ _); [contradiction|auto]. }
      rewrite Z. lra. }
  destruct (Rle_dec (Rabs (z - m')) tl_B) as [S'|S'].
  - pose proof (tlap_pointwise (z - m) (z - m') S S') as K.
    replace (z - m - (z - m')) with (- (m - m')) in K by ring. rewrite Rabs_Ropp in K.
    specialize (K Hm).
    assert (f * tl_pdf (z - m) <= f * (exp eps * tl_pdf (z - m'))) by (apply Rmult_le_compat_l; lra).
    lra.
  - assert (E : tl_tail m m' (z - m) = tl_pdf (z - m)).
    { apply Rabs_le_between in S. apply Rabs_le_between in Hm.
      apply Rnot_le_lt in S'.
      assert (O : z - m' < - tl_B \/ tl_B < z - m').
      { unfold Rabs in S'. destruct (Rcase_abs (z - m')); lra. }
      unfold tl_tail, tail_lo. destruct (Rle_dec m m').
      - destruct (Rle_dec (- tl_B) (z - m)); [|lra].
        destruct (Rle_dec (z - m) (- tl_B + Delta)); lra.
      - destruct (Rle_dec (tl_B - Delta) (z - m)); [|lra].
        destruct (Rle_dec (z - m) (tl_B - Delta + Delta)); lra. }
    rewrite E. assert (f * tl_pdf (z - m) <= 1 * tl_pdf (z - m)) by (apply Rmult_le_compat_r; lra).
    lra.
Qed.

(** noise.truncated_laplace_privacy: for |m - m'| <= Delta, m + z and m' + z are (eps, delta)-indistinguishable by any
    test f with values in [0, 1] whose two means exist as Riemann integrals. *)
Theorem tlap_dp (f : R -> R) (m m' lo hi : R) :
  Rabs (m - m') <= Delta -> lo <= hi -> (forall z, 0 <= f z <= 1) ->
  ex_RInt (fun z => f z * tl_pdf (z - m)) lo hi ->
  ex_RInt (fun z => f z * tl_pdf (z - m')) lo hi ->
  RInt (fun z => f z * tl_pdf (z - m)) lo hi
    <= exp eps * RInt (fun z => f z * tl_pdf (z - m')) lo hi + delta.
Proof.
  intros Hm Hlh Hf E1 E2.
  destruct (cut_any _ _ _ _ delta (lo - m) (hi - m) (tail_cut m m')) as [ET BT];
    auto using tail_mass, tail_nonneg; try lra.
  destruct ET as [lt Hlt].
  assert (ST : is_RInt (fun z => tl_tail m m' (z - m)) lo hi lt) by now apply is_RInt_shift.
  rewrite (is_RInt_unique _ _ _ _ Hlt) in BT.
  destruct E2 as [l2 Hl2]. rewrite (is_RInt_unique _ _ _ _ Hl2).
  assert (SR : is_RInt (fun z => exp eps * (f z * tl_pdf (z - m')) + tl_tail m m' (z - m))
                 lo hi (exp eps * l2 + lt)).
  { apply (is_RInt_plus (V := R_NormedModule) (fun z => exp eps * (f z * tl_pdf (z - m')))
             (fun z => tl_tail m m' (z - m)) lo hi (exp eps * l2) lt); auto.
    apply (is_RInt_scal (V := R_NormedModule) (fun z => f z * tl_pdf (z - m')) lo hi (exp eps) l2); auto. }
  apply Rle_trans with (exp eps * l2 + lt); [|lra].
  rewrite <- (is_RInt_unique _ _ _ _ SR).
  apply RInt_le; auto.
  - eexists; exact SR.
  - intros z _. apply tl_dominate; auto.
Qed.

(** Events: a finite disjoint union of half-open intervals. *)
Fixpoint inds (evs : list (R * R)) (u : R) : R :=
  match evs with nil => 0 | cons (a, b) t => ind a b u + inds t u end.
Fixpoint prob (evs : list (R * R)) (m : R) : R :=
  match evs with nil => 0 | cons (a, b) t => RInt (fun z => tl_pdf (z - m)) a b + prob t m end.

Lemma inds_integral (evs : list (R * R)) (m lo hi : R) :
  (forall a b, List.In (a, b) evs -> lo <= a <= b /\ b <= hi) ->
  is_RInt (fun z => inds evs z * tl_pdf (z - m)) lo hi (prob evs m) \/ evs = nil.
Proof.
  induction evs as [|[a b] t IH]; intros H; [right; auto|left].
  destruct (H a b (or_introl eq_refl)) as [Hab Hb].
  assert (I1 : is_RInt (fun z => ind a b z * tl_pdf (z - m)) lo hi (RInt (fun z => tl_pdf (z - m)) a b)).
  { apply (cut_full a b (fun z => tl_pdf (z - m))); try lra.
    - apply (ind_cut a b (fun z => tl_pdf (z - m))).
    - apply (RInt_correct (V := R_CompleteNormedModule) (fun z => tl_pdf (z - m))).
      apply ex_RInt_pdf_shift; lra. }
  destruct IH as [I2|E].
  { intros; apply H; right; auto. }
  - simpl. apply is_RInt_ext with (fun z => ind a b z * tl_pdf (z - m) + inds t z * tl_pdf (z - m)).
    { intros z _. unfold plus; simpl. ring. }
    apply (is_RInt_plus (V := R_NormedModule) _ _ lo hi _ _ I1 I2).
  - subst t. simpl. eapply is_RInt_eq; [|symmetry; apply Rplus_0_r].
    eapply is_RInt_ext; [|exact I1]. intros z _. simpl. ring.
Qed.

Lemma inds_nonneg evs u : 0 <= inds evs u.
Proof. induction evs as [|[a b] t IH]; simpl; [lra|]. pose proof (ind_01 a b u). lra. Qed.

Fixpoint lo_of (evs : list (R * R)) : R := match evs with nil => 0 | cons (a, _) t => Rmin a (lo_of t) end.
Fixpoint hi_of (evs : list (R * R)) : R := match evs with nil => 0 | cons (_, b) t => Rmax b (hi_of t) end.

Lemma lo_hi_of evs a b : List.In (a, b) evs -> lo_of evs <= a /\ b <= hi_of evs.
Proof.
  induction evs as [|[a' b'] t IH]; simpl; [tauto|].
  pose proof (Rmin_l a' (lo_of t)). pose proof (Rmin_r a' (lo_of t)).
  pose proof (Rmax_l b' (hi_of t)). pose proof (Rmax_r b' (hi_of t)).
  intros [E|H4]; [inversion E; subst; lra|]. destruct (IH H4). lra.
Qed.

Lemma lo0_hi0 evs : lo_of evs <= 0 <= hi_of evs.
Proof.
  induction evs as [|[a' b'] t IH]; simpl; [lra|].
  pose proof (Rmin_r a' (lo_of t)). pose proof (Rmax_r b' (hi_of t)). lra.
Qed.

(** noise.truncated_laplace_privacy: the same for events, finite disjoint unions of half-open intervals [a, b). *)
Theorem tlap_dp_events (evs : list (R * R)) (m m' : R) :
  Rabs (m - m') <= Delta ->
  (forall a b, List.In (a, b) evs -> a <= b) ->
  (forall u, inds evs u <= 1) ->             (* disjoint *)
  prob evs m <= exp eps * prob evs m' + delta.
Proof.
  intros Hm Hab Hdis. pose proof (exp_pos eps).
  assert (W : forall a b, List.In (a, b) evs -> lo_of evs <= a <= b /\ b <= hi_of evs).
  { intros a b Hin. pose proof (Hab a b Hin). pose proof (lo_hi_of evs a b Hin). lra. }
  destruct (inds_integral evs m _ _ W) as [I|E]; [|subst; simpl; lra].
  destruct (inds_integral evs m' _ _ W) as [I'|E]; [|subst; simpl; lra].
  rewrite <- (is_RInt_unique _ _ _ _ I), <- (is_RInt_unique _ _ _ _ I').
  apply tlap_dp; auto.
  - pose proof (lo0_hi0 evs); lra.
  - intros z. split; auto using inds_nonneg.
  - eexists; eauto.
  - eexists; eauto.
Qed.

Lemma pdf_second_half :
  is_RInt (fun z => z * z * tl_pdf z) 0 tl_B
    (tl_C * tl_b * (2 * tl_b * tl_b
       - exp (- tl_L) * (tl_B * tl_B + 2 * tl_b * tl_B + 2 * tl_b * tl_b))).
Proof.
  pose proof b_pos as Hb. pose proof B_pos as HB.
  set (G := fun z => - (tl_C * tl_b) * (exp (- (z / tl_b)) * (z * z + 2 * tl_b * z + 2 * tl_b * tl_b))).
  apply is_RInt_ext with (fun z => z * z * (tl_C * exp (- (z / tl_b)))).
  { intros z. rewrite Rmin_left, Rmax_right by lra. intros Hz. rewrite pdf_in by lra. reflexivity. }
  apply is_RInt_eq with (minus (G tl_B) (G 0)).
  - apply (is_RInt_derive G).
    + intros z _. unfold G. auto_derive; [auto|]. unfold Rdiv. field. lra.
    + intros z _. apply (ex_derive_continuous (fun z => z * z * (tl_C * exp (- (z / tl_b))))).
      auto_derive. auto.
  - unfold G, minus, plus, opp; simpl. rewrite B_over_b.
    unfold Rdiv. rewrite Rmult_0_l, Ropp_0, exp_0. ring.
Qed.

(** The variance, in closed form. *)
Definition tl_var : R := 2 * Delta ^ 2 / eps ^ 2 * (1 - delta * (tl_L ^ 2 + 2 * tl_L) / (exp eps - 1)).

(** noise.truncated_laplace_variance: the mean of z^2 under the density (the mean of z is 0). *)
Theorem tlap_variance : is_RInt (fun z => z * z * tl_pdf z) (- tl_B) tl_B tl_var.
Proof.
  unfold tl_var. pose proof pdf_second_half as H1. pose proof b_pos as Hb. pose proof exp_mL_lt1 as HL.
  assert (Ev : forall z, (fun z => z * z * tl_pdf z) (- z) = (fun z => z * z * tl_pdf z) z).
  { intros z. simpl. rewrite pdf_even. ring. }
  pose proof (is_RInt_even _ _ _ _ Ev H1) as H2. rewrite Ropp_0 in H2.
  eapply is_RInt_eq; [apply (is_RInt_join _ _ _ _ _ _ H2 H1)|].
  pose proof exp_L as EL. pose proof exp_eps_gt1.
  assert (Em : exp (- tl_L) = / (1 + (exp eps - 1) / (2 * delta))) by (rewrite exp_Ropp, EL; auto).
  rewrite C_eq. replace tl_B with (tl_b * tl_L) by reflexivity. 
  set (L := tl_L) in *.
  assert (Hx : 0 < exp eps - 1) by lra.
  set (x := exp eps - 1) in *.
  replace (2 * Delta ^ 2 / eps ^ 2) with (2 * tl_b ^ 2) by (unfold tl_b; field; lra).
  rewrite Em. assert (0 < x / (2 * delta)) by (apply Rdiv_lt_0_compat; lra).
  field. repeat split; lra.
Qed.

(** noise.truncated_laplace_mean: the noise has mean 0. *)
Theorem tlap_mean_zero : is_RInt (fun z => z * tl_pdf z) (- tl_B) tl_B 0.
Proof.
  pose proof B_pos as HB. pose proof b_pos as Hb.
  set (G := fun z => - (tl_C * tl_b) * (exp (- (z / tl_b)) * (z + tl_b))).
  assert (H1 : is_RInt (fun z => z * tl_pdf z) 0 tl_B (minus (G tl_B) (G 0))).
  { apply is_RInt_ext with (fun z => z * (tl_C * exp (- (z / tl_b)))).
    { intros z. rewrite Rmin_left, Rmax_right by lra. intros Hz. rewrite pdf_in by lra. reflexivity. }
    apply (is_RInt_derive G).
    + intros z _. unfold G. auto_derive; [auto|]. unfold Rdiv. field. lra.
    + intros z _. apply (ex_derive_continuous (fun z => z * (tl_C * exp (- (z / tl_b))))).
      auto_derive. auto. }
  set (I := minus (G tl_B) (G 0)) in *. clearbody I.
  assert (H2 : is_RInt (fun z => z * tl_pdf z) (- tl_B) 0 (- I)).
  { assert (H3 : is_RInt (fun z => opp (- z * tl_pdf (- z))) (- 0) (- tl_B) I).
    { apply (is_RInt_comp_opp (fun z => z * tl_pdf z) (- 0) (- tl_B)).
      now rewrite !Ropp_involutive. }
    apply is_RInt_swap in H3. rewrite Ropp_0 in H3.
    eapply is_RInt_ext; [|exact H3].
    intros z _. unfold opp; simpl. rewrite pdf_even. ring. }
  eapply is_RInt_eq; [apply (is_RInt_join _ _ _ _ _ _ H2 H1)|]. ring.
Qed.
End TLap.
