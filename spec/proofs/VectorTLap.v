(** Chapter noise: independent truncated Laplace noise on every coordinate of a vector, calibrated to the
    l1-sensitivity Delta, is (eps, delta)-DP with the scalar bound B. *)
Require Import Reals Lra Lia Psatz List.
From Coquelicot Require Import Coquelicot.
Require Import Sums IntTools TLap TLapFull DP.
Open Scope R_scope.

Section Vector.
Variables Delta eps delta : R.
Hypothesis HD : 0 < Delta.
Hypothesis He : 0 < eps.
Hypothesis Hd : 0 < delta <= / 2.
Notation pdf := (tl_pdf Delta eps delta).
Notation B := (tl_B Delta eps delta).
Notation L := (tl_L eps delta).

(** Tail function: the mass of the last stretch of length t of the support. *)
Definition tail_at (t : R) : R := (exp (eps * t / Delta) - 1) / (2 * (exp L - 1)).

Lemma tail_den : 2 * (exp L - 1) = (exp eps - 1) / delta.
Proof. rewrite exp_L by auto. field. lra. Qed.

Lemma tail_den_pos : 0 < 2 * (exp L - 1).
Proof. rewrite tail_den. pose proof (exp_eps_gt1 eps He). apply Rdiv_lt_0_compat; lra. Qed.

(** noise.truncated_laplace_tail: the tail function is 0 at 0 and delta at Delta. *)
Theorem tail_at_ends : tail_at 0 = 0 /\ tail_at Delta = delta.
Proof.
  pose proof (exp_eps_gt1 eps He). unfold tail_at. rewrite tail_den. split.
  - unfold Rdiv at 2. rewrite Rmult_0_r, Rmult_0_l, exp_0. field. lra.
  - replace (eps * Delta / Delta) with eps by (field; lra). field. lra.
Qed.

Lemma exp_mono x y : x <= y -> exp x <= exp y.
Proof. intros [H| ->]; [left; now apply exp_increasing | right; auto]. Qed.

Lemma rate_ge1 t : 0 <= t -> 1 <= exp (eps * t / Delta).
Proof.
  intros Ht. rewrite <- exp_0. apply exp_mono. apply Rmult_le_pos; [nra|]. left. now apply Rinv_0_lt_compat.
Qed.

Lemma tail_nonneg t : 0 <= t -> 0 <= tail_at t.
Proof.
  intros Ht. pose proof (rate_ge1 t Ht). unfold tail_at. apply Rmult_le_pos; [lra|].
  left. apply Rinv_0_lt_compat, tail_den_pos.
Qed.

(** noise.truncated_laplace_tail: superadditive, so many small shifts cost no more than one large one. *)
Theorem tail_superadditive (s t : R) : 0 <= s -> 0 <= t -> tail_at s + tail_at t <= tail_at (s + t).
Proof.
  intros Hs Ht. unfold tail_at. pose proof tail_den_pos. pose proof (rate_ge1 s Hs). pose proof (rate_ge1 t Ht).
  replace (eps * (s + t) / Delta) with (eps * s / Delta + eps * t / Delta) by (field; lra). rewrite exp_plus.
  unfold Rdiv at 1 3 5. rewrite <- Rmult_plus_distr_r. apply Rmult_le_compat_r.
  - left. now apply Rinv_0_lt_compat.
  - nra.
Qed.

Lemma tail_mono (s t : R) : 0 <= s <= t -> tail_at s <= tail_at t.
Proof.
  intros H. pose proof (tail_superadditive s (t - s) ltac:(lra) ltac:(lra)) as S.
  replace (s + (t - s)) with t in S by ring. pose proof (tail_nonneg (t - s) ltac:(lra)). lra.
Qed.

(** noise.truncated_laplace_tail: P[z > B - t] = tail(t) for every t up to B. *)
Theorem tlap_tail_mass_at (t : R) : 0 <= t <= B -> is_RInt pdf (B - t) B (tail_at t).
Proof.
  intros Ht. pose proof (b_pos Delta eps HD He) as Hb. pose proof (exp_mL_lt1 eps delta He Hd) as HL.
  eapply is_RInt_eq; [apply is_RInt_pos; auto; lra|].
  rewrite B_over_b by auto.
  replace ((B - t) / tl_b Delta eps) with (L - eps * t / Delta) by (unfold tl_B, tl_b; field; lra).
  replace (exp (- (L - eps * t / Delta))) with (exp (eps * t / Delta) * exp (- L))
    by (rewrite <- exp_plus; f_equal; ring).
  pose proof (mass_const Delta eps delta HD He Hd) as M. unfold tail_at.
  assert (E : exp L * exp (- L) = 1) by (rewrite <- exp_plus, Rplus_opp_r; apply exp_0).
  pose proof tail_den_pos as P.
  apply Rmult_eq_reg_r with (1 - exp (- L)); [|lra].
  transitivity (tl_C Delta eps delta * tl_b Delta eps * (1 - exp (- L)) * (exp (- L) * (exp (eps * t / Delta) - 1)));
    [ring|]. rewrite M.
  replace (1 - exp (- L)) with (exp (- L) * (exp L - 1)) by lra. field. lra.
Qed.

(** The same noise, read as calibrated to a smaller shift t: density with sensitivity t, eps t/Delta, tail(t). *)
Lemma same_noise (t : R) : 0 < t <= Delta ->
  0 < tail_at t <= / 2 /\ (forall z, tl_pdf t (eps * t / Delta) (tail_at t) z = pdf z).
Proof.
  intros Ht. pose proof tail_den_pos as P.
  assert (E1 : 1 < exp (eps * t / Delta)).
  { rewrite <- exp_0. apply exp_increasing. apply Rdiv_lt_0_compat; auto. apply Rmult_lt_0_compat; lra. }
  assert (T : 0 < tail_at t) by (apply Rdiv_lt_0_compat; lra).
  split.
  - split; auto. destruct tail_at_ends as [_ TD]. pose proof (tail_mono t Delta ltac:(lra)). lra.
  - assert (EL : tl_L (eps * t / Delta) (tail_at t) = L).
    { unfold tl_L at 1. rewrite <- (ln_exp L). f_equal. unfold tail_at. field. split; lra. }
    assert (Eb : tl_b t (eps * t / Delta) = tl_b Delta eps) by (unfold tl_b; field; lra).
    assert (EB : tl_B t (eps * t / Delta) (tail_at t) = B) by (unfold tl_B; rewrite EL, Eb; reflexivity).
    intros z. unfold tl_pdf, tl_C. rewrite EB.
    replace (eps * t / Delta * B / t) with (eps * B / Delta) by (field; lra).
    replace (eps * t / Delta * Rabs z / t) with (eps * Rabs z / Delta) by (field; lra).
    replace (eps * t / Delta / (2 * t * (1 - exp (- (eps * B / Delta)))))
      with (eps / (2 * Delta * (1 - exp (- (eps * B / Delta))))); [reflexivity|].
    assert (exp (- (eps * B / Delta)) < 1).
    { rewrite rate_B by auto. pose proof (exp_mL_lt1 eps delta He Hd). lra. }
    field. repeat split; lra.
Qed.

(** noise.truncated_laplace_privacy: a shift of at most t <= Delta costs only (eps t/Delta, tail(t)). *)
Theorem tlap_dp_shift (f : R -> R) (m m' lo hi t : R) :
  0 <= t <= Delta -> Rabs (m - m') <= t -> lo <= hi -> (forall z, 0 <= f z <= 1) -> ex_RInt f lo hi ->
  RInt (fun z => f z * pdf (z - m)) lo hi
    <= exp (eps * t / Delta) * RInt (fun z => f z * pdf (z - m')) lo hi + tail_at t.
Proof.
  intros [Ht0 Ht] Hm Hlh Hf HI. destruct (Req_dec t 0) as [->|Hne].
  - assert (E : m = m').
    { destruct (Req_dec (m - m') 0) as [Z|Z]; [lra|]. pose proof (Rabs_pos_lt _ Z). lra. }
    subst m'. destruct tail_at_ends as [-> _]. unfold Rdiv. rewrite Rmult_0_r, Rmult_0_l, exp_0. lra.
  - destruct (same_noise t ltac:(lra)) as [HT HP].
    assert (Ht' : 0 < t) by lra.
    assert (He' : 0 < eps * t / Delta) by (apply Rdiv_lt_0_compat; auto; apply Rmult_lt_0_compat; lra).
    pose proof (tlap_dp_full t (eps * t / Delta) (tail_at t) Ht' He' HT f m m' lo hi Hm Hlh Hf HI) as K.
    rewrite (RInt_ext (fun z => f z * tl_pdf t (eps * t / Delta) (tail_at t) (z - m))
               (fun z => f z * pdf (z - m)) lo hi) in K by (intros; now rewrite HP).
    rewrite (RInt_ext (fun z => f z * tl_pdf t (eps * t / Delta) (tail_at t) (z - m'))
               (fun z => f z * pdf (z - m')) lo hi) in K by (intros; now rewrite HP).
    exact K.
Qed.

(** ** Vectors. All outputs lie in [-W, W]; [at_centre m f] is the mean of f under m + noise. *)
Variable W : R.
Hypothesis HW : 0 <= W.
Definition inside (m : R) : Prop := Rabs m + B <= W.
Definition at_centre (m : R) : op R := fun f => RInt (fun z => f z * pdf (z - m)) (- W) W.
(** Tests of one coordinate: Riemann-integrable and bounded. *)
Definition adm1 (f : R -> R) : Prop := ex_RInt f (- W) W /\ exists M, forall z, Rabs (f z) <= M.

Lemma ex_RInt_adm (f : R -> R) (m : R) : adm1 f -> ex_RInt (fun z => f z * pdf (z - m)) (- W) W.
Proof.
  intros [HI [M HM]].
  assert (M0 : 0 <= M) by (pose proof (HM 0); pose proof (Rabs_pos (f 0)); lra).
  set (K := M + 1).
  assert (E1 : ex_RInt (fun z => (f z + K) / (2 * K) * pdf (z - m)) (- W) W).
  { apply (ex_RInt_test_pdf Delta eps delta HD He Hd); [lra| |].
    - intros z. specialize (HM z). apply abs_le_iff in HM. unfold K. split.
      + apply Rmult_le_pos; [lra|]. left. apply Rinv_0_lt_compat. lra.
      + apply Rmult_le_reg_r with (2 * (M + 1)); [lra|]. unfold Rdiv. rewrite Rmult_assoc, Rinv_l; lra.
    - apply (ex_RInt_ext (fun z => / (2 * K) * (f z + K))).
      { intros z _. unfold Rdiv. apply Rmult_comm. }
      apply (ex_RInt_scal (V := R_NormedModule) (fun z => f z + K)).
      apply (ex_RInt_plus (V := R_NormedModule) f (fun _ => K)); auto.
      apply (ex_RInt_const (V := R_NormedModule)). }
  assert (E2 : ex_RInt (fun z => pdf (z - m)) (- W) W) by (apply ex_RInt_pdf_shift; auto; lra).
  apply (ex_RInt_same (fun z => 2 * K * ((f z + K) / (2 * K) * pdf (z - m)) - K * pdf (z - m))).
  { intros z. field. unfold K. lra. }
  apply (ex_RInt_minus (V := R_NormedModule) (fun z => 2 * K * ((f z + K) / (2 * K) * pdf (z - m)))
           (fun z => K * pdf (z - m))).
  - apply (ex_RInt_scal (V := R_NormedModule) (fun z => (f z + K) / (2 * K) * pdf (z - m))); auto.
  - apply (ex_RInt_scal (V := R_NormedModule) (fun z => pdf (z - m))); auto.
Qed.

Lemma mass_inside (m : R) : inside m -> is_RInt (fun z => pdf (z - m)) (- W) W 1.
Proof.
  intros Hm. unfold inside in Hm. apply is_RInt_shift.
  pose proof (B_pos Delta eps delta HD He Hd). pose proof (Rle_abs m). pose proof (Rle_abs (- m)).
  rewrite Rabs_Ropp in *.
  apply (cut_full (- B) B pdf); try lra; [now apply pdf_cut | now apply tlap_total_mass].
Qed.

Lemma at_centre_prob (m : R) : inside m -> prob adm1 (at_centre m).
Proof.
  intros Hm. split; unfold at_centre; intros.
  - apply RInt_le; [lra | now apply ex_RInt_adm | now apply ex_RInt_adm |].
    intros z _. apply Rmult_le_compat_r; auto. now apply pdf_nonneg.
  - rewrite (RInt_ext (fun z => c * f z * pdf (z - m)) (fun z => scal c (f z * pdf (z - m)))).
    + apply (RInt_scal (V := R_CompleteNormedModule) (fun z => f z * pdf (z - m))). now apply ex_RInt_adm.
    + intros z _. unfold scal; simpl; unfold mult; simpl. ring.
  - apply is_RInt_unique.
    apply is_RInt_ext with (fun z => plus (f z * pdf (z - m)) (scal c (pdf (z - m)))).
    { intros z _. unfold plus, scal; simpl; unfold mult; simpl. ring. }
    replace (RInt (fun z => f z * pdf (z - m)) (- W) W + c)
      with (plus (RInt (fun z => f z * pdf (z - m)) (- W) W) (scal c 1)).
    2:{ unfold plus, scal; simpl; unfold mult; simpl. ring. }
    apply (is_RInt_plus (V := R_NormedModule) (fun z => f z * pdf (z - m)) (fun z => scal c (pdf (z - m)))).
    + apply (RInt_correct (V := R_CompleteNormedModule) (fun z => f z * pdf (z - m))). now apply ex_RInt_adm.
    + apply (is_RInt_scal (V := R_NormedModule) (fun z => pdf (z - m))). now apply mass_inside.
Qed.

Lemma adm_scale c f : adm1 f -> adm1 (fun x => c * f x).
Proof.
  intros [HI [M HM]]. split; [apply (ex_RInt_scal (V := R_NormedModule) f); auto|].
  exists (Rabs c * M). intros z. rewrite Rabs_mult. apply Rmult_le_compat_l; auto using Rabs_pos.
Qed.

Lemma adm_shift c f : adm1 f -> adm1 (fun x => f x + c).
Proof.
  intros [HI [M HM]]. split.
  - apply (ex_RInt_plus (V := R_NormedModule) f (fun _ => c)); auto. apply (ex_RInt_const (V := R_NormedModule)).
  - exists (M + Rabs c). intros z. eapply Rle_trans; [apply Rabs_triang|]. specialize (HM z). lra.
Qed.

Lemma adm_min f : adm1 f -> adm1 (fun x => Rmin 1 (f x)).
Proof.
  intros [HI [M HM]]. split.
  - apply (ex_RInt_same (fun x => / 2 * ((1 + f x) - Rabs (1 - f x)))).
    { intros x. unfold Rmin, Rabs. destruct (Rle_dec 1 (f x)), (Rcase_abs (1 - f x)); lra. }
    apply (ex_RInt_scal (V := R_NormedModule) (fun x => (1 + f x) - Rabs (1 - f x))).
    assert (C : ex_RInt (fun _ => 1) (- W) W) by apply (ex_RInt_const (V := R_NormedModule)).
    apply (ex_RInt_minus (V := R_NormedModule) (fun x => 1 + f x) (fun x => Rabs (1 - f x))).
    + apply (ex_RInt_plus (V := R_NormedModule) (fun _ => 1) f); auto.
    + apply (ex_RInt_norm (fun x => 1 - f x)).
      apply (ex_RInt_minus (V := R_NormedModule) (fun _ => 1) f); auto.
  - exists (1 + M). intros z. specialize (HM z). pose proof (Rabs_pos (f z)). apply abs_le_iff in HM.
    apply abs_le_iff. unfold Rmin. destruct (Rle_dec 1 (f z)); lra.
Qed.

(** Mean of a test of the whole output vector, integrating one coordinate after the other. *)
Fixpoint at_centres (ms : list R) : op (list R) :=
  match ms with
  | nil => fun f => f nil
  | m :: t => fun f => at_centre m (fun x => at_centres t (fun v => f (x :: v)))
  end.

(** Tests whose iterated Riemann integrals exist, for both neighbours. *)
Fixpoint adm (ms ms' : list R) : (list R -> R) -> Prop :=
  match ms, ms' with
  | m :: t, m' :: t' => fun f =>
      (forall x, adm t t' (fun v => f (x :: v)))
      /\ adm1 (fun x => at_centres t (fun v => f (x :: v)))
      /\ adm1 (fun x => at_centres t' (fun v => f (x :: v)))
  | _, _ => fun _ => True
  end.

Fixpoint l1 (ms ms' : list R) : R :=
  match ms, ms' with m :: t, m' :: t' => Rabs (m - m') + l1 t t' | _, _ => 0 end.

Lemma l1_nonneg ms ms' : 0 <= l1 ms ms'.
Proof.
  revert ms'; induction ms as [|m t IH]; intros [|m' t']; simpl; try lra.
  pose proof (Rabs_pos (m - m')). specialize (IH t'). lra.
Qed.

Lemma prob_range (E : op R) f : prob adm1 E -> adm1 f -> test f -> 0 <= E f <= 1.
Proof.
  intros P A Hf.
  assert (A0 : adm1 (fun x => 0 * f x)) by now apply adm_scale.
  assert (Z : E (fun x => 0 * f x) = 0).
  { rewrite (p_scal _ _ P 0 f) by (auto; lra). ring. }
  assert (O : E (fun x => 0 * f x + 1) = 1) by (rewrite (p_shift _ _ P 1 _ A0), Z; ring).
  split.
  - rewrite <- Z. apply (p_mono _ _ P); auto. intros x. rewrite Rmult_0_l. apply Hf.
  - rewrite <- O. apply (p_mono _ _ P); auto; [now apply adm_shift|]. intros x. destruct (Hf x). lra.
Qed.

Lemma range (ms ms' : list R) (f : list R -> R) : length ms = length ms' ->
  List.Forall inside ms -> List.Forall inside ms' -> adm ms ms' f -> test f ->
  (0 <= at_centres ms f <= 1) /\ (0 <= at_centres ms' f <= 1).
Proof.
  revert ms' f. induction ms as [|m t IH]; intros [|m' t'] f Hlen F F' A Hf; try discriminate.
  - split; apply Hf.
  - inversion F; subst. inversion F'; subst. destruct A as [A0 [A1 A2]]. injection Hlen as Hlen.
    assert (T : forall x, test (fun v => f (x :: v))) by (intros x v; apply Hf).
    cbn [at_centres]. split; apply prob_range; auto using at_centre_prob;
      intros x; apply (IH t' _ Hlen); auto.
Qed.

(** Sum over the coordinates of what a shift of that size costs. *)
Fixpoint cost (c : R -> R) (ms ms' : list R) : R :=
  match ms, ms' with m :: t, m' :: t' => c (Rabs (m - m')) + cost c t t' | _, _ => 0 end.

Lemma cost_nonneg (c : R -> R) (ms ms' : list R) : (forall s, 0 <= s -> 0 <= c s) -> 0 <= cost c ms ms'.
Proof.
  intros Hc. revert ms'. induction ms as [|m t IH]; intros [|m' t']; simpl; try lra.
  pose proof (Hc _ (Rabs_pos (m - m'))). specialize (IH t'). lra.
Qed.

(** A product mechanism: if a shift of size s <= Delta in one coordinate costs (ec s, dc s), the vector costs the sums. *)
Theorem vector_composition (ec dc : R -> R) (ms ms' : list R) :
  (forall s, 0 <= s -> 0 <= ec s) -> (forall s, 0 <= s -> 0 <= dc s) ->
  (forall m m', Rabs (m - m') <= Delta -> dp adm1 (ec (Rabs (m - m'))) (dc (Rabs (m - m'))) (at_centre m) (at_centre m')) ->
  length ms = length ms' -> List.Forall inside ms -> List.Forall inside ms' ->
  Forall2 (fun m m' => Rabs (m - m') <= Delta) ms ms' ->
  dp (adm ms ms') (cost ec ms ms') (cost dc ms ms') (at_centres ms) (at_centres ms').
Proof.
  intros Hec Hdc H1. revert ms'.
  induction ms as [|m t IH]; intros [|m' t'] Hlen F F' HD2 f Hf A; try discriminate.
  - simpl. rewrite exp_0. lra.
  - inversion F; subst. inversion F'; subst. inversion HD2; subst. injection Hlen as Hlen.
    pose proof (cost_nonneg dc t t' Hdc) as P1.
    destruct A as [A0 [A1 A2]].
    assert (T : forall x, test (fun v => f (x :: v))) by (intros x v; apply Hf).
    set (s := Rabs (m - m')) in *.
    pose proof (dp_compose R (list R) adm1 (adm t t') (ec s) (dc s) (cost ec t t') (cost dc t t')
      (at_centre m) (at_centre m') (fun _ => at_centres t) (fun _ => at_centres t')) as C.
    specialize (C P1 (at_centre_prob m ltac:(auto)) (at_centre_prob m' ltac:(auto)) (H1 m m' ltac:(auto))).
    specialize (C (fun _ => IH t' Hlen ltac:(auto) ltac:(auto) ltac:(auto))).
    assert (C1 : forall (_ : R) g, test g -> adm t t' g -> at_centres t g <= 1).
    { intros _ g Hg Ag. apply (range t t' g); auto. }
    assert (C2 : forall (_ : R) g, test g -> adm t t' g -> 0 <= at_centres t' g).
    { intros _ g Hg Ag. apply (range t t' g); auto. }
    specialize (C C1 C2 (fun q => f (fst q :: snd q))).
    apply C.
    + intros q. apply Hf.
    + unfold adm2. cbn [fst snd]. repeat split; try apply A0; try apply A1; try apply A2.
      * apply adm_scale; auto.
      * apply adm_scale; auto.
      * apply adm_min, adm_scale; auto.
      * apply adm_min, adm_scale; auto.
      * apply adm_shift, adm_min, adm_scale; auto.
      * apply adm_shift, adm_min, adm_scale; auto.
Qed.

Lemma dp_weaken_vector (ms ms' : list R) (e1 d1 e2 d2 : R) : length ms = length ms' ->
  List.Forall inside ms -> List.Forall inside ms' -> e1 <= e2 -> d1 <= d2 ->
  dp (adm ms ms') e1 d1 (at_centres ms) (at_centres ms') -> dp (adm ms ms') e2 d2 (at_centres ms) (at_centres ms').
Proof.
  intros Hlen F F' E D H f Hf A. specialize (H f Hf A).
  destruct (range ms ms' f Hlen F F' A Hf) as [_ [P' _]].
  assert (exp e1 * at_centres ms' f <= exp e2 * at_centres ms' f) by (apply Rmult_le_compat_r; auto using exp_mono).
  lra.
Qed.

Lemma cost_tail (ms ms' : list R) : cost tail_at ms ms' <= tail_at (l1 ms ms').
Proof.
  revert ms'. induction ms as [|m t IH]; intros [|m' t']; cbn [cost l1]; try (apply tail_nonneg; lra).
  pose proof (tail_superadditive _ _ (Rabs_pos (m - m')) (l1_nonneg t t')). specialize (IH t'). lra.
Qed.

Lemma l1_each (ms ms' : list R) : length ms = length ms' -> l1 ms ms' <= Delta ->
  Forall2 (fun m m' => Rabs (m - m') <= Delta) ms ms'.
Proof.
  revert ms'. induction ms as [|m t IH]; intros [|m' t'] Hlen H; try discriminate; constructor; cbn [l1] in H;
    pose proof (Rabs_pos (m - m')); pose proof (l1_nonneg t t'); [lra|]. apply IH; [auto|lra].
Qed.

(** noise.truncated_laplace_privacy_vector: one calibration to the l1-sensitivity Delta makes the whole noisy
    vector (eps, delta)-DP, with the scalar B; for every test whose iterated Riemann integrals exist. *)
Theorem tlap_dp_vector (ms ms' : list R) :
  length ms = length ms' -> List.Forall inside ms -> List.Forall inside ms' -> l1 ms ms' <= Delta ->
  dp (adm ms ms') eps delta (at_centres ms) (at_centres ms').
Proof.
  intros Hlen F F' H1. pose proof (l1_nonneg ms ms') as P.
  apply (dp_weaken_vector ms ms' (cost (fun s => eps * s / Delta) ms ms') (cost tail_at ms ms')); auto.
  - replace (cost (fun s => eps * s / Delta) ms ms') with (eps / Delta * l1 ms ms').
    + apply Rmult_le_reg_r with Delta; auto. replace (eps / Delta * l1 ms ms' * Delta) with (eps * l1 ms ms') by (field; lra).
      apply Rmult_le_compat_l; lra.
    + clear - HD. revert ms'. induction ms as [|m t IH]; intros [|m' t']; simpl; try ring. rewrite <- IH. field. lra.
  - pose proof (cost_tail ms ms'). pose proof (tail_mono (l1 ms ms') Delta ltac:(lra)). destruct tail_at_ends. lra.
  - apply vector_composition; auto.
    + intros s Hs. apply Rmult_le_pos; [nra|]. left. now apply Rinv_0_lt_compat.
    + apply tail_nonneg.
    + intros m m' Hm f Hf [If _]. apply tlap_dp_shift; auto; try lra. split; [apply Rabs_pos|auto].
    + now apply l1_each.
Qed.

(** How many coordinates differ. *)
Fixpoint changed (ms ms' : list R) : nat :=
  match ms, ms' with m :: t, m' :: t' => ((if Req_EM_T m m' then 0 else 1) + changed t t')%nat | _, _ => 0%nat end.

(** tree.privacy_composition: if at most k nodes change, each by at most Delta, noise of (eps, delta) per node makes
    the whole tree (k eps, k delta)-DP; so a tree of height h needs the budget split into h + 1 parts. *)
Theorem tlap_dp_nodes (k : nat) (ms ms' : list R) :
  length ms = length ms' -> List.Forall inside ms -> List.Forall inside ms' ->
  Forall2 (fun m m' => Rabs (m - m') <= Delta) ms ms' -> (changed ms ms' <= k)%nat ->
  dp (adm ms ms') (INR k * eps) (INR k * delta) (at_centres ms) (at_centres ms').
Proof.
  intros Hlen F F' H1 Hk. apply le_INR in Hk.
  assert (E : forall c, cost (fun s => if Req_EM_T s 0 then 0 else c) ms ms' = INR (changed ms ms') * c).
  { intros c. clear. revert ms'. induction ms as [|m t IH]; intros [|m' t']; cbn [cost changed]; try (simpl; ring).
    rewrite IH, plus_INR. destruct (Req_EM_T m m') as [->|N], (Req_EM_T (Rabs (_ - _)) 0) as [Z|Z]; simpl INR; try ring.
    - exfalso. apply Z. rewrite Rminus_eq_0. apply Rabs_R0.
    - exfalso. apply N. destruct (Req_dec (m - m') 0) as [Q|Q]; [lra|]. pose proof (Rabs_pos_lt _ Q). lra. }
  apply (dp_weaken_vector ms ms' (cost (fun s => if Req_EM_T s 0 then 0 else eps) ms ms')
           (cost (fun s => if Req_EM_T s 0 then 0 else delta) ms ms')); auto.
  - rewrite E. apply Rmult_le_compat_r; lra.
  - rewrite E. apply Rmult_le_compat_r; lra.
  - apply vector_composition; auto.
    + intros s _. destruct (Req_EM_T s 0); lra.
    + intros s _. destruct (Req_EM_T s 0); lra.
    + intros m m' Hm f Hf [If _]. destruct (Req_EM_T (Rabs (m - m')) 0) as [Z|Z].
      * assert (m = m') by (destruct (Req_dec (m - m') 0) as [Q|Q]; [lra|]; pose proof (Rabs_pos_lt _ Q); lra).
        subst m'. rewrite exp_0. lra.
      * apply tlap_dp_full; auto. lra.
Qed.

(** ** Events: boxes are admissible, and their probability is the product over the coordinates. *)
Fixpoint box (bs : list (R * R)) (v : list R) : R :=
  match bs, v with
  | (a, b) :: bs', x :: v' => ind a b x * box bs' v'
  | _, _ => 1
  end.
Fixpoint box_prob (bs : list (R * R)) (ms : list R) : R :=
  match bs, ms with
  | (a, b) :: bs', m :: ms' => at_centre m (ind a b) * box_prob bs' ms'
  | _, _ => 1
  end.

Lemma ex_RInt_ind a b x y : a <= b -> x <= y -> ex_RInt (ind a b) x y.
Proof.
  intros Hab Hxy. apply (ex_RInt_same (fun u => ind a b u * 1)).
  { intros; ring. }
  apply (ex_RInt_cut (fun _ => 1) _ a b); auto.
  - apply (ind_cut a b (fun _ => 1)).
  - intros. apply (ex_RInt_const (V := R_NormedModule)).
Qed.

Lemma adm_ind a b : a <= b -> adm1 (ind a b).
Proof.
  intros Hab. split; [apply ex_RInt_ind; lra|]. exists 1. intros z. pose proof (ind_01 a b z).
  rewrite Rabs_pos_eq; lra.
Qed.

Lemma at_centre_ext m f g : (forall z, f z = g z) -> at_centre m f = at_centre m g.
Proof. intros H. apply RInt_ext. intros z _. now rewrite H. Qed.

Lemma at_centres_ext ms f g : (forall v, f v = g v) -> at_centres ms f = at_centres ms g.
Proof.
  revert f g. induction ms as [|m t IH]; intros f g H; cbn [at_centres]; auto.
  apply at_centre_ext. intros z. apply IH. auto.
Qed.

Lemma at_centre_scal m c f : adm1 f -> at_centre m (fun x => c * f x) = c * at_centre m f.
Proof.
  intros A. unfold at_centre.
  rewrite (RInt_ext (fun z => c * f z * pdf (z - m)) (fun z => scal c (f z * pdf (z - m)))).
  - apply (RInt_scal (V := R_CompleteNormedModule) (fun z => f z * pdf (z - m))). now apply ex_RInt_adm.
  - intros z _. unfold scal; simpl; unfold mult; simpl. ring.
Qed.

Definition ordered (bs : list (R * R)) : Prop := forall a b, In (a, b) bs -> a <= b.

Lemma at_centres_box (c : R) (bs : list (R * R)) (ms : list R) : length bs = length ms -> ordered bs ->
  at_centres ms (fun v => c * box bs v) = c * box_prob bs ms.
Proof.
  revert c ms. induction bs as [|[a b] bs IH]; intros c [|m ms] Hlen Ho; try discriminate; auto.
  injection Hlen as Hlen. cbn [at_centres box box_prob].
  assert (Hab : a <= b) by (apply Ho; left; auto).
  assert (Ho' : ordered bs) by (intros x y Hxy; apply Ho; right; auto).
  rewrite (at_centre_ext m _ (fun x => (c * box_prob bs ms) * ind a b x)).
  - rewrite at_centre_scal by now apply adm_ind. ring.
  - intros z. rewrite (at_centres_ext ms _ (fun v => (c * ind a b z) * box bs v)) by (intros; ring).
    rewrite IH; auto. ring.
Qed.

(** Not vacuous: the probability of a box is the product of the probabilities of its sides. *)
Theorem at_centres_box_product (bs : list (R * R)) (ms : list R) : length bs = length ms -> ordered bs ->
  at_centres ms (box bs) = box_prob bs ms.
Proof.
  intros Hlen Ho. rewrite (at_centres_ext ms _ (fun v => 1 * box bs v)) by (intros; ring).
  rewrite at_centres_box; auto. ring.
Qed.

Lemma adm_ext (ts ts' : list R) f g : (forall v, f v = g v) -> adm ts ts' f -> adm ts ts' g.
Proof.
  revert ts' f g. induction ts as [|u ts IH]; intros [|u' ts'] f g E A; simpl in *; auto.
  destruct A as [A0 [[I1 [M1 B1]] [I2 [M2 B2]]]]. repeat split.
  - intros x. apply (IH ts' (fun v => f (x :: v))); auto.
  - eapply ex_RInt_ext; [|exact I1]. intros x _. simpl. apply at_centres_ext. auto.
  - exists M1. intros z. specialize (B1 z). now rewrite (at_centres_ext ts _ (fun v => g (z :: v))) in B1 by auto.
  - eapply ex_RInt_ext; [|exact I2]. intros x _. simpl. apply at_centres_ext. auto.
  - exists M2. intros z. specialize (B2 z).
    now rewrite (at_centres_ext ts' _ (fun v => g (z :: v))) in B2 by auto.
Qed.

Lemma box_adm_scaled (c : R) (bs : list (R * R)) (ms ms' : list R) :
  length bs = length ms -> length ms = length ms' -> ordered bs -> adm ms ms' (fun v => c * box bs v).
Proof.
  revert c bs ms'. induction ms as [|m t IH]; intros c [|[a b] bs] [|m' t'] H1 H2 Ho; try discriminate; simpl; auto.
  injection H1 as H1. injection H2 as H2.
  assert (Hab : a <= b) by (apply Ho; left; auto).
  assert (Ho' : ordered bs) by (intros x y Hxy; apply Ho; right; auto).
  assert (G : forall ts, length bs = length ts ->
    adm1 (fun x => at_centres ts (fun v => c * (ind a b x * box bs v)))).
  { intros ts Hts. pose proof (adm_scale (c * box_prob bs ts) _ (adm_ind a b Hab)) as [I [M HM]].
    assert (E : forall x, at_centres ts (fun v => c * (ind a b x * box bs v)) = c * box_prob bs ts * ind a b x).
    { intros x. rewrite (at_centres_ext ts _ (fun v => (c * ind a b x) * box bs v)) by (intros; ring).
      rewrite at_centres_box by auto. ring. }
    split.
    - eapply ex_RInt_ext; [|exact I]. intros x _. simpl. now rewrite E.
    - exists M. intros z. rewrite E. apply HM. }
  repeat split; try apply G; try congruence.
  intros x. specialize (IH (c * ind a b x) bs t' H1 H2 Ho').
  eapply adm_ext; [|exact IH]. intros v. simpl. ring.
Qed.

(** noise.truncated_laplace_privacy_vector, for the event "every coordinate lies in its interval". *)
Theorem tlap_dp_vector_box (bs : list (R * R)) (ms ms' : list R) :
  length bs = length ms -> length ms = length ms' -> ordered bs ->
  List.Forall inside ms -> List.Forall inside ms' -> l1 ms ms' <= Delta ->
  box_prob bs ms <= exp eps * box_prob bs ms' + delta.
Proof.
  intros H1 H2 Ho F F' HL.
  rewrite <- !at_centres_box_product by (auto; congruence).
  apply (tlap_dp_vector ms ms'); auto.
  - intros v. revert v. clear. induction bs as [|[a b] bs IH]; intros [|x v]; simpl; try lra.
    pose proof (ind_01 a b x). specialize (IH v). nra.
  - pose proof (box_adm_scaled 1 bs ms ms' H1 H2 Ho) as A.
    eapply adm_ext; [|exact A]. intros v. simpl. ring.
Qed.
End Vector.
