(** Chapter noise: truncated Laplace privacy in full: the test has only to be Riemann-integrable; and delta is necessary. *)
Require Import Reals Lra Lia Psatz.
From Coquelicot Require Import Coquelicot.
Require Import Sums IntTools TLap.
Open Scope R_scope.

Definition geb (t j : R) : R := if Rle_dec j t then 1 else 0.

(** Counting the integers in (0, t]. *)
Lemma layer_count (n : nat) (t : R) : 0 <= t ->
  (INR n <= t -> sumn n (fun j => geb t (INR (S j))) = INR n) /\
  (t <= INR n -> t - 1 <= sumn n (fun j => geb t (INR (S j))) <= t).
Proof.
  intros Ht. induction n as [|n [IH1 IH2]].
  - simpl. split; intros; lra.
  - cbn [sumn]. set (s := sumn n (fun j => geb t (INR (S j)))) in *. clearbody s.
    rewrite !S_INR. unfold geb.
    assert (E : INR n <= t -> s = INR n) by auto. clear IH1.
    assert (IH : t <= INR n -> t - 1 <= s <= t) by auto. clear IH2.
    destruct (Rle_dec (INR n + 1) t) as [L|L].
    + rewrite E by lra. split; intros; lra.
    + split; intros; [lra|]. destruct (Rle_lt_dec t (INR n)) as [A|A].
      * specialize (IH A). lra.
      * rewrite E; lra.
Qed.

Lemma ex_RInt_cut (h g : R -> R) (p q x y : R) : cut_of p q h g ->
  (forall a b, a <= b -> ex_RInt h a b) -> p <= q -> x <= y -> ex_RInt g x y.
Proof.
  intros C H Hpq Hxy. destruct (H p q Hpq) as [l Hl].
  pose proof (Rmin_l x p). pose proof (Rmax_l y q).
  apply ex_RInt_sub with (Rmin x p) (Rmax y q); auto.
  exists l. apply cut_full with p q h; auto. apply Rmin_r. apply Rmax_r.
Qed.

Lemma ex_RInt_sumn (n : nat) (f : nat -> R -> R) (x y : R) :
  (forall j, (j < n)%nat -> ex_RInt (f j) x y) -> ex_RInt (fun z => sumn n (fun j => f j z)) x y.
Proof.
  induction n; intros H; cbn [sumn].
  - apply (ex_RInt_const (V := R_NormedModule)).
  - apply (ex_RInt_plus (V := R_NormedModule) (fun z => sumn n (fun j => f j z)) (f n)).
    + apply IHn; auto.
    + apply H; auto.
Qed.

Section Full.
Variables Delta eps delta : R.
Hypothesis HD : 0 < Delta.
Hypothesis He : 0 < eps.
Hypothesis Hd : 0 < delta <= / 2.
Notation pdf := (tl_pdf Delta eps delta).
Notation B := (tl_B Delta eps delta).
Notation C := (tl_C Delta eps delta).

Lemma pdf_le_C z : pdf z <= C.
Proof.
  pose proof (C_pos Delta eps delta HD He Hd). unfold tl_pdf.
  destruct (Rle_dec _ _); [|lra]. rewrite <- (Rmult_1_r C) at 2.
  apply Rmult_le_compat_l; [lra|]. rewrite <- exp_0.
  assert (A : - (eps * Rabs z / Delta) <= 0).
  { assert (0 <= eps * Rabs z / Delta); [|lra].
    apply Rmult_le_pos; [|left; now apply Rinv_0_lt_compat].
    apply Rmult_le_pos; [lra | apply Rabs_pos]. }
  destruct A as [A|A]; [left; now apply exp_increasing | rewrite A; lra].
Qed.

(** Super-level sets of the density are intervals. *)
Definition lev (c : R) : R := Rmin B (Delta / eps * ln (C / c)).

Lemma level_iff (c z : R) : 0 < c -> c <= C -> (c <= pdf z <-> Rabs z <= lev c).
Proof.
  intros Hc HcC. pose proof (C_pos Delta eps delta HD He Hd) as PC.
  assert (K : c <= C * exp (- (eps * Rabs z / Delta)) <-> Rabs z <= Delta / eps * ln (C / c)).
  { assert (PQ : 0 < C / c) by now apply Rdiv_lt_0_compat.
    split; intros H.
    - apply Rmult_le_reg_l with (eps / Delta); [now apply Rdiv_lt_0_compat|].
      replace (eps / Delta * (Delta / eps * ln (C / c))) with (ln (C / c)) by (field; lra).
      rewrite <- (ln_exp (eps / Delta * Rabs z)). apply ln_le; [apply exp_pos|].
      apply Rmult_le_reg_r with (c * exp (- (eps * Rabs z / Delta))).
      { apply Rmult_lt_0_compat; auto. apply exp_pos. }
      replace (exp (eps / Delta * Rabs z) * (c * exp (- (eps * Rabs z / Delta))))
        with (c * (exp (eps / Delta * Rabs z) * exp (- (eps * Rabs z / Delta)))) by ring.
      rewrite <- exp_plus.
      replace (eps / Delta * Rabs z + - (eps * Rabs z / Delta)) with 0 by (field; lra).
      rewrite exp_0, Rmult_1_r.
      replace (C / c * (c * exp (- (eps * Rabs z / Delta)))) with (C * exp (- (eps * Rabs z / Delta))) by (field; lra).
      auto.
    - replace c with (C * exp (- ln (C / c))).
      2:{ rewrite exp_Ropp, exp_ln by auto. field. lra. }
      apply Rmult_le_compat_l; [lra|].
      assert (A : - ln (C / c) <= - (eps * Rabs z / Delta)).
      { apply Ropp_le_contravar. apply Rmult_le_reg_l with (Delta / eps); [now apply Rdiv_lt_0_compat|].
        replace (Delta / eps * (eps * Rabs z / Delta)) with (Rabs z) by (field; lra). auto. }
      destruct A as [A|A]; [left; now apply exp_increasing | rewrite A; lra]. }
  unfold lev, tl_pdf. destruct (Rle_dec (Rabs z) B) as [L|L].
  - rewrite K. split; intros H; [now apply Rmin_glb|]. eapply Rle_trans; [exact H|apply Rmin_r].
  - split; intros H; [lra|]. exfalso. apply L. eapply Rle_trans; [exact H|apply Rmin_l].
Qed.

Lemma lev_nonneg c : 0 < c -> c <= C -> 0 <= lev c.
Proof.
  intros Hc HcC. pose proof (B_pos Delta eps delta HD He Hd).
  apply Rmin_glb; [lra|]. apply Rmult_le_pos; [left; now apply Rdiv_lt_0_compat|].
  rewrite <- ln_1. apply ln_le; [lra|].
  apply Rmult_le_reg_r with c; auto. unfold Rdiv. rewrite Rmult_assoc, Rinv_l; lra.
Qed.

(** The mean of a Riemann-integrable test under the density exists (layer-cake approximation by step functions). *)
Theorem ex_RInt_test_pdf (f : R -> R) (m lo hi : R) : lo <= hi ->
  (forall z, 0 <= f z <= 1) -> ex_RInt f lo hi ->
  ex_RInt (fun z => f z * pdf (z - m)) lo hi.
Proof.
  intros Hlh Hf HI. pose proof (C_pos Delta eps delta HD He Hd) as PC.
  (* f cut to [lo, hi]: integrable on every interval *)
  set (fc := fun z => if Rle_dec lo z then (if Rle_dec z hi then f z else 0) else 0).
  assert (Cf : cut_of lo hi f fc).
  { split; intros u Hu; unfold fc; destruct (Rle_dec lo u), (Rle_dec u hi); lra. }
  assert (fc01 : forall z, 0 <= fc z <= 1).
  { intros z. unfold fc. pose proof (Hf z). destruct (Rle_dec lo z), (Rle_dec z hi); lra. }
  assert (Ifc : forall a b, a <= b -> ex_RInt fc a b).
  { intros a b Hab. destruct HI as [l Hl].
    apply (cut_any lo hi f fc l a b Cf); auto. intros; apply fc01. }
  cut (ex_RInt (fun z => fc z * pdf (z - m)) lo hi).
  { intros H. eapply ex_RInt_ext; [|exact H].
    intros z. rewrite Rmin_left, Rmax_right by auto. intros Hz.
    destruct Cf as [Ci _]. rewrite Ci by lra. reflexivity. }
  (* layer-cake approximation with N+1 levels *)
  set (g := fun (N : nat) (z : R) =>
    sumn (S N) (fun j => C / INR (S N) * (fc z * geb (INR (S N) * (pdf (z - m) / C)) (INR (S j))))).
  assert (PN : forall N, 0 < INR (S N)) by (intros; apply lt_0_INR; lia).
  assert (Ig : forall N, ex_RInt (g N) lo hi).
  { intros N. unfold g. specialize (PN N).
    apply (ex_RInt_sumn (S N) (fun j z => C / INR (S N) * (fc z * geb (INR (S N) * (pdf (z - m) / C)) (INR (S j))))).
    intros j Hj.
    apply (ex_RInt_scal (V := R_NormedModule) (fun z => fc z * geb (INR (S N) * (pdf (z - m) / C)) (INR (S j)))).
    set (c := C * (INR (S j) / INR (S N))).
    assert (PJ : 0 < INR (S j)) by (apply lt_0_INR; lia).
    assert (JN : INR (S j) <= INR (S N)) by (apply le_INR; lia).
    assert (Pc : 0 < c) by (apply Rmult_lt_0_compat; auto; now apply Rdiv_lt_0_compat).
    assert (Lc : c <= C).
    { unfold c. rewrite <- (Rmult_1_r C) at 2. apply Rmult_le_compat_l; [lra|].
      apply Rmult_le_reg_r with (INR (S N)); auto. unfold Rdiv. rewrite Rmult_assoc, Rinv_l; lra. }
    assert (E : forall z, INR (S j) <= INR (S N) * (pdf (z - m) / C) <-> Rabs (z - m) <= lev c).
    { intros z. rewrite <- level_iff by auto. unfold c. split; intros H.
      - replace (pdf (z - m)) with (C / INR (S N) * (INR (S N) * (pdf (z - m) / C))) by (field; lra).
        replace (C * (INR (S j) / INR (S N))) with (C / INR (S N) * INR (S j)) by (field; lra).
        apply Rmult_le_compat_l; auto. left; now apply Rdiv_lt_0_compat.
      - replace (INR (S j)) with (INR (S N) * (C * (INR (S j) / INR (S N)) / C)) by (field; lra).
        apply Rmult_le_compat_l; [lra|]. apply Rmult_le_compat_r; auto. left; now apply Rinv_0_lt_compat. }
    pose proof (lev_nonneg c Pc Lc) as PL.
    apply (ex_RInt_cut fc _ (m - lev c) (m + lev c)); auto; [|lra].
    split; intros z Hz; unfold geb; destruct (Rle_dec _ _) as [A|A]; try ring.
    - exfalso. apply A. apply E. apply Rabs_le. lra.
    - exfalso. apply E in A. apply Rabs_le_between in A. lra. }
  (* uniform convergence *)
  assert (U : forall N z, Rabs (g N z - fc z * pdf (z - m)) <= C / INR (S N)).
  { intros N z. unfold g. specialize (PN N).
    rewrite sumn_scal, (sumn_scal (S N) (fc z)).
    set (t := INR (S N) * (pdf (z - m) / C)).
    pose proof (pdf_nonneg Delta eps delta HD He Hd (z - m)) as P0. pose proof (pdf_le_C (z - m)) as P1.
    assert (Q0 : 0 <= pdf (z - m) / C) by (apply Rmult_le_pos; auto; left; now apply Rinv_0_lt_compat).
    assert (Q1 : pdf (z - m) / C <= 1).
    { apply Rmult_le_reg_r with C; auto. unfold Rdiv. rewrite Rmult_assoc, Rinv_l; lra. }
    assert (T0 : 0 <= t) by (apply Rmult_le_pos; lra).
    assert (T1 : t <= INR (S N)) by (unfold t; nra).
    destruct (layer_count (S N) t T0) as [_ K]. specialize (K T1).
    set (S0 := sumn (S N) (fun j => geb t (INR (S j)))) in *.
    replace (fc z * pdf (z - m)) with (C / INR (S N) * (fc z * t)) by (unfold t; field; lra).
    replace (C / INR (S N) * (fc z * S0) - C / INR (S N) * (fc z * t))
      with (C / INR (S N) * (fc z * (S0 - t))) by ring.
    assert (PCN : 0 < C / INR (S N)) by now apply Rdiv_lt_0_compat.
    rewrite Rabs_mult, (Rabs_pos_eq (C / INR (S N))) by lra.
    rewrite <- (Rmult_1_r (C / INR (S N))) at 2. apply Rmult_le_compat_l; [lra|].
    pose proof (fc01 z). apply Rabs_le. split; nra. }
  assert (FL : forall N, is_RInt (g N) lo hi (RInt (g N) lo hi)).
  { intros N. apply (RInt_correct (V := R_CompleteNormedModule) (g N)). apply Ig. }
  destruct (filterlim_RInt (V := R_CompleteNormedModule) g lo hi eventually _
              (fun z => fc z * pdf (z - m)) (fun N => RInt (g N) lo hi) FL) as [If [_ HIf]].
  2:{ exists If. exact HIf. }
  apply (filterlim_locally (U := fct_UniformSpace R R_CompleteNormedModule) g).
  intros [e Pe].
  destruct (archimed_cor1 (e / C)) as [N0 [HN0 PN0]]; [now apply Rdiv_lt_0_compat|].
  exists N0. intros N HN t. change (Rabs (g N t - fc t * pdf (t - m)) < e).
  eapply Rle_lt_trans; [apply U|].
  assert (L1 : 0 < INR N0) by (apply lt_0_INR; lia).
  assert (L2 : INR N0 <= INR (S N)) by (apply le_INR; lia).
  apply Rle_lt_trans with (C * / INR N0).
  - apply Rmult_le_compat_l; [lra|]. now apply Rinv_le_contravar.
  - replace e with (C * (e / C)) by (field; lra). apply Rmult_lt_compat_l; auto.
Qed.

(** noise.truncated_laplace_privacy: value + TLap(Delta, eps, delta) is (eps, delta)-DP for every Riemann-integrable
    test with values in [0, 1]. *)
Theorem tlap_dp_full (f : R -> R) (m m' lo hi : R) :
  Rabs (m - m') <= Delta -> lo <= hi -> (forall z, 0 <= f z <= 1) -> ex_RInt f lo hi ->
  RInt (fun z => f z * pdf (z - m)) lo hi
    <= exp eps * RInt (fun z => f z * pdf (z - m')) lo hi + delta.
Proof.
  intros Hm Hlh Hf HI. apply tlap_dp; auto; apply ex_RInt_test_pdf; auto.
Qed.

(** noise.truncated_laplace_privacy: delta is attained: at a shift of Delta, an event of probability delta becomes
    impossible. *)
Theorem tlap_delta_tight (m : R) :
  is_RInt (fun z => pdf (z - m)) (m + B - Delta) (m + B) delta /\
  is_RInt (fun z => pdf (z - (m - Delta))) (m + B - Delta) (m + B) 0.
Proof.
  split.
  - apply is_RInt_shift. replace (m + B - Delta - m) with (B - Delta) by ring.
    replace (m + B - m) with B by ring. apply tlap_tail_mass; auto.
  - apply is_RInt_zero; [lra|]. intros x Hx. unfold tl_pdf.
    destruct (Rle_dec (Rabs (x - (m - Delta))) B) as [A|A]; auto.
    apply Rabs_le_between in A. lra.
Qed.
End Full.
