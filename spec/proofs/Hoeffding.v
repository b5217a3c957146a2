(** Chapter noise: sums of independent bounded noise of mean zero, each with finitely many values (as every sampled
    table has). Hoeffding's bound, from Markov's inequality and the bound cosh x <= e^(x^2/2). *)
Require Import Reals Lra Lia Psatz List.
From Coquelicot Require Import Coquelicot.
Require Import Sums DP FiniteDP Lipschitz.
Open Scope R_scope.

(** A law with finitely many values: value i has probability mass i. *)
Record law := { size : nat; mass : nat -> R; value : nat -> R }.
Definition centred (l : law) (b : R) : Prop :=
  pmf (size l) (mass l) /\ sumn (size l) (fun i => mass l i * value l i) = 0
  /\ (forall i, (i < size l)%nat -> Rabs (value l i) <= b) /\ 0 < b.

(** Mean of F(s + sum of independent draws from the laws). *)
Fixpoint mean (ls : list law) (F : R -> R) (s : R) : R :=
  match ls with nil => F s | l :: t => sumn (size l) (fun i => mass l i * mean t F (s + value l i)) end.
Fixpoint sum_squares (bs : list R) : R := match bs with nil => 0 | b :: t => b * b + sum_squares t end.

Lemma cosh_pos_le (x : R) : 0 <= x -> (exp x + exp (- x)) / 2 <= exp (x * x / 2).
Proof.
  intros Hx. assert (P : forall u, 0 < (exp u + exp (- u)) / 2).
  { intros u. pose proof (exp_pos u). pose proof (exp_pos (- u)). lra. }
  rewrite <- (exp_ln _ (P x)). apply exp_le_mono.
  destruct (MVT_gen (fun u => u * u / 2 - ln ((exp u + exp (- u)) / 2)) 0 x
              (fun u => u - (exp (2 * u) - 1) / (exp (2 * u) + 1))) as [c [Hc E]].
  - intros u _. specialize (P u). auto_derive; [auto|].
    replace (exp (2 * u)) with (exp u * exp u) by (rewrite <- exp_plus; f_equal; ring).
    replace (exp (- u)) with (/ exp u) in * by (rewrite exp_Ropp; auto).
    pose proof (exp_pos u). field. repeat split; nra.
  - intros u _. apply continuity_pt_filterlim. specialize (P u).
    apply (ex_derive_continuous (fun u => u * u / 2 - ln ((exp u + exp (- u)) / 2))). auto_derive. auto.
  - rewrite Rmin_left, Rmax_right in Hc by lra.
    pose proof (tanh_half_le (2 * c) ltac:(lra)) as T.
    rewrite Ropp_0, exp_0 in E. replace ((1 + 1) / 2) with 1 in E by field. rewrite ln_1 in E.
    assert (0 <= (c - (exp (2 * c) - 1) / (exp (2 * c) + 1)) * (x - 0)) by (apply Rmult_le_pos; lra). lra.
Qed.

Lemma cosh_le (x : R) : (exp x + exp (- x)) / 2 <= exp (x * x / 2).
Proof.
  destruct (Rle_dec 0 x); [now apply cosh_pos_le|].
  pose proof (cosh_pos_le (- x) ltac:(lra)) as H. rewrite Ropp_involutive in H.
  replace (- x * - x) with (x * x) in H by ring. lra.
Qed.

Lemma exp_convex (w x y : R) : 0 <= w <= 1 -> exp (w * x + (1 - w) * y) <= w * exp x + (1 - w) * exp y.
Proof.
  intros Hw. set (c := w * x + (1 - w) * y). pose proof (exp_pos c) as P.
  assert (T : forall u, exp c * (1 + (u - c)) <= exp u).
  { intros u. replace (exp u) with (exp c * exp (u - c)) by (rewrite <- exp_plus; f_equal; ring).
    apply Rmult_le_compat_l; [lra|]. apply exp_ineq1_le. }
  pose proof (Rmult_le_compat_l w _ _ ltac:(lra) (T x)). pose proof (Rmult_le_compat_l (1 - w) _ _ ltac:(lra) (T y)).
  replace (exp c) with (w * (exp c * (1 + (x - c))) + (1 - w) * (exp c * (1 + (y - c)))) by (unfold c; ring). lra.
Qed.

(** Hoeffding's lemma: noise of mean 0 within [-b, b] has mean of e^(lam z) at most e^(lam^2 b^2 / 2). *)
Theorem hoeffding_lemma (l : law) (b lam : R) : centred l b ->
  sumn (size l) (fun i => mass l i * exp (lam * value l i)) <= exp (lam * lam * (b * b) / 2).
Proof.
  intros [[Hp H1] [H0 [Hv Hb]]].
  apply Rle_trans with ((exp (lam * b) + exp (- (lam * b))) / 2).
  2:{ replace (lam * lam * (b * b) / 2) with (lam * b * (lam * b) / 2) by field. apply cosh_le. }
  set (A := exp (lam * b)). set (B := exp (- (lam * b))).
  replace ((A + B) / 2) with (sumn (size l) (fun i => (A + B) / 2 * mass l i + (A - B) / (2 * b) * (mass l i * value l i))).
  2:{ rewrite sumn_plus, !sumn_scal, H1, H0. ring. }
  apply sumn_le; intros i Hi. specialize (Hp i Hi). specialize (Hv i Hi). apply abs_le_iff in Hv.
  set (z := value l i) in *. set (w := (b + z) / (2 * b)).
  assert (W : 0 <= w <= 1).
  { unfold w. split; [apply Rmult_le_pos; [lra|left; apply Rinv_0_lt_compat; lra]|].
    apply Rmult_le_reg_r with (2 * b); [lra|]. unfold Rdiv. rewrite Rmult_assoc, Rinv_l; lra. }
  pose proof (exp_convex w (lam * b) (- (lam * b)) W) as K.
  replace (w * (lam * b) + (1 - w) * - (lam * b)) with (lam * z) in K by (unfold w; field; lra). fold A B in K.
  replace ((A + B) / 2 * mass l i + (A - B) / (2 * b) * (mass l i * z)) with (mass l i * (w * A + (1 - w) * B))
    by (unfold w; field; lra).
  apply Rmult_le_compat_l; auto.
Qed.

Lemma mean_exp (ls : list law) (bs : list R) (lam s : R) : Forall2 centred ls bs ->
  mean ls (fun u => exp (lam * u)) s <= exp (lam * s) * exp (lam * lam * sum_squares bs / 2).
Proof.
  intros H. revert s. induction H as [|l b ls bs Hl H IH]; intros s; cbn [mean sum_squares].
  - unfold Rdiv. rewrite Rmult_0_r, Rmult_0_l, exp_0. lra.
  - pose proof (hoeffding_lemma l b lam Hl) as K. destruct Hl as [[Hp _] _].
    set (Q := exp (lam * lam * sum_squares bs / 2)) in *. assert (PQ : 0 < Q) by apply exp_pos.
    apply Rle_trans with (sumn (size l) (fun i => exp (lam * s) * Q * (mass l i * exp (lam * value l i)))).
    + apply sumn_le; intros i Hi. specialize (IH (s + value l i)).
      replace (exp (lam * s) * Q * (mass l i * exp (lam * value l i)))
        with (mass l i * (exp (lam * (s + value l i)) * Q)).
      * apply Rmult_le_compat_l; auto.
      * rewrite Rmult_plus_distr_l, exp_plus. ring.
    + rewrite sumn_scal.
      replace (lam * lam * (b * b + sum_squares bs) / 2) with (lam * lam * (b * b) / 2 + lam * lam * sum_squares bs / 2) by field.
      rewrite exp_plus. fold Q.
      apply Rle_trans with (exp (lam * s) * Q * exp (lam * lam * (b * b) / 2)); [|right; ring].
      apply Rmult_le_compat_l; auto. apply Rmult_le_pos; [left; apply exp_pos | lra].
Qed.

Lemma mean_le (ls : list law) (bs : list R) (F G : R -> R) (s : R) : Forall2 centred ls bs ->
  (forall u, F u <= G u) -> mean ls F s <= mean ls G s.
Proof.
  intros H HF. revert s. induction H as [|l b ls bs Hl H IH]; intros s; cbn [mean]; auto.
  destruct Hl as [[Hp _] _]. apply sumn_le; intros i Hi. apply Rmult_le_compat_l; auto.
Qed.

Lemma mean_scal (ls : list law) (c : R) (F : R -> R) (s : R) : mean ls (fun u => c * F u) s = c * mean ls F s.
Proof.
  revert s. induction ls as [|l ls IH]; intros s; cbn [mean]; auto. rewrite <- sumn_scal. apply sumn_ext; intros i _.
  rewrite IH. ring.
Qed.

Lemma mean_plus (ls : list law) (F G : R -> R) (s : R) : mean ls (fun u => F u + G u) s = mean ls F s + mean ls G s.
Proof.
  revert s. induction ls as [|l ls IH]; intros s; cbn [mean]; auto. rewrite <- sumn_plus. apply sumn_ext; intros i _.
  rewrite IH. ring.
Qed.

Lemma one_tail (ls : list law) (bs : list R) (t sign : R) : Forall2 centred ls bs -> 0 < sum_squares bs -> 0 <= t ->
  sign * sign = 1 ->
  mean ls (fun u => if Rle_dec t (sign * u) then 1 else 0) 0 <= exp (- (t * t / (2 * sum_squares bs))).
Proof.
  intros H HS Ht Hsign. set (S2 := sum_squares bs) in *. set (lam := t / S2).
  assert (Hl : 0 <= lam) by (apply Rmult_le_pos; [lra | left; now apply Rinv_0_lt_compat]).
  apply Rle_trans with (mean ls (fun u => exp (- (lam * t)) * exp (lam * sign * u)) 0).
  - apply mean_le with bs; auto. intros u. rewrite <- exp_plus. destruct (Rle_dec t (sign * u)) as [L|L].
    + rewrite <- exp_0. apply exp_le_mono. assert (lam * t <= lam * (sign * u)) by (apply Rmult_le_compat_l; lra). lra.
    + left. apply exp_pos.
  - rewrite mean_scal. eapply Rle_trans; [apply Rmult_le_compat_l; [left; apply exp_pos | now apply (mean_exp ls bs)]|].
    fold S2. rewrite Rmult_0_r, exp_0, Rmult_1_l, <- exp_plus. right. f_equal.
    replace (lam * sign * (lam * sign)) with (lam * lam * (sign * sign)) by ring. rewrite Hsign. unfold lam. field. lra.
Qed.

(** noise.bounded_sum_tail (Hoeffding): P[|z_1 + ... + z_m| >= t] <= 2 exp(-t^2 / (2 sum b_j^2)). *)
Theorem hoeffding (ls : list law) (bs : list R) (t : R) : Forall2 centred ls bs -> 0 < sum_squares bs -> 0 <= t ->
  mean ls (fun u => if Rle_dec t (Rabs u) then 1 else 0) 0 <= 2 * exp (- (t * t / (2 * sum_squares bs))).
Proof.
  intros H HS Ht.
  apply Rle_trans with (mean ls (fun u => (if Rle_dec t (1 * u) then 1 else 0) + (if Rle_dec t (-1 * u) then 1 else 0)) 0).
  - apply mean_le with bs; auto. intros u. unfold Rabs.
    destruct (Rcase_abs u), (Rle_dec t (1 * u)), (Rle_dec t (-1 * u));
      repeat (match goal with |- context [Rle_dec t ?x] => destruct (Rle_dec t x) end); lra.
  - rewrite mean_plus. pose proof (one_tail ls bs t 1 H HS Ht ltac:(ring)).
    pose proof (one_tail ls bs t (-1) H HS Ht ltac:(ring)). lra.
Qed.

(** noise.bounded_sum_tail (Hoeffding), solved for the deviation: sqrt(2 sum b_j^2 ln(2/p)) is exceeded with probability
    at most p. *)
Theorem hoeffding_deviation (ls : list law) (bs : list R) (p : R) :
  Forall2 centred ls bs -> 0 < sum_squares bs -> 0 < p <= 1 ->
  mean ls (fun u => if Rle_dec (sqrt (2 * sum_squares bs * ln (2 / p))) (Rabs u) then 1 else 0) 0 <= p.
Proof.
  intros H HS Hp. set (S2 := sum_squares bs) in *.
  assert (P : 2 <= 2 / p).
  { apply Rmult_le_reg_r with p; [lra|]. unfold Rdiv. rewrite Rmult_assoc, Rinv_l; lra. }
  assert (L0 : 0 <= ln (2 / p)) by (rewrite <- ln_1; apply ln_le; lra).
  eapply Rle_trans; [apply (hoeffding ls bs); auto; apply sqrt_pos|]. fold S2.
  rewrite sqrt_sqrt by (apply Rmult_le_pos; lra).
  replace (2 * S2 * ln (2 / p) / (2 * S2)) with (ln (2 / p)) by (field; lra).
  rewrite exp_Ropp, exp_ln by lra. right. field. lra.
Qed.

(** Not vacuous: a fair coin with values -1 and 1 is centred with b = 1. *)
Theorem hoeffding_instance :
  centred {| size := 2; mass := fun _ => / 2; value := fun i => match i with O => -1 | _ => 1 end |} 1.
Proof.
  repeat split; simpl; try lra; intros; try lra. destruct i as [|i]; apply Rabs_le; lra.
Qed.

Definition variance (l : law) : R := sumn (size l) (fun i => mass l i * (value l i * value l i)).
Fixpoint total_variance (ls : list law) : R := match ls with nil => 0 | l :: t => variance l + total_variance t end.

(** tree.query_variance: the variance of a sum of independent noises of mean zero is the sum of their variances, so m of
    variance s^2 have m s^2. *)
Theorem sum_variance (ls : list law) (bs : list R) : Forall2 centred ls bs ->
  mean ls (fun u => u * u) 0 = total_variance ls.
Proof.
  intros H. cut (forall s, mean ls (fun u => u * u) s = s * s + total_variance ls).
  { intros G. rewrite G. ring. }
  induction H as [|l b ls bs Hl H IH]; intros s; cbn [mean total_variance]; [ring|].
  destruct Hl as [[Hp H1] [H0 _]].
  rewrite (sumn_ext _ _ (fun i => (s * s + total_variance ls) * mass l i + 2 * s * (mass l i * value l i)
                                  + mass l i * (value l i * value l i))) by (intros; rewrite IH; ring).
  rewrite !sumn_plus, !sumn_scal, H1, H0. unfold variance. ring.
Qed.

(** ** Bernstein's bound. *)
Lemma exp_quadratic_pos (y : R) : 0 <= y < 3 -> exp y <= 1 + y + 3 * (y * y) / (2 * (3 - y)).
Proof.
  intros Hy.
  cut (1 <= (1 + y + 3 * (y * y) / (2 * (3 - y))) * exp (- y)).
  { intros K. apply Rmult_le_reg_r with (exp (- y)); [apply exp_pos|].
    rewrite <- exp_plus, Rplus_opp_r, exp_0. exact K. }
  destruct (MVT_gen (fun u => (1 + u + 3 * (u * u) / (2 * (3 - u))) * exp (- u)) 0 y
             (fun u => u ^ 3 * exp (- u) / (2 * (3 - u) ^ 2))) as [c [Hc E]].
  - intros u Hu. rewrite Rmin_left, Rmax_right in Hu by lra. auto_derive; [lra|]. field. lra.
  - intros u Hu. rewrite Rmin_left, Rmax_right in Hu by lra. apply continuity_pt_filterlim.
    apply (ex_derive_continuous (fun u => (1 + u + 3 * (u * u) / (2 * (3 - u))) * exp (- u))). auto_derive. lra.
  - rewrite Rmin_left, Rmax_right in Hc by lra. rewrite Ropp_0, exp_0 in E.
    replace ((1 + 0 + 3 * (0 * 0) / (2 * (3 - 0))) * 1) with 1 in E by field.
    assert (0 <= c ^ 3 * exp (- c) / (2 * (3 - c) ^ 2) * (y - 0)); [|lra].
    apply Rmult_le_pos; [|lra]. apply Rmult_le_pos.
    + apply Rmult_le_pos; [apply pow_le; lra | left; apply exp_pos].
    + left. apply Rinv_0_lt_compat. nra.
Qed.

Lemma exp_quadratic_neg (y : R) : y <= 0 -> exp y <= 1 + y + y * y / 2.
Proof.
  intros Hy.
  cut (1 <= (1 + y + y * y / 2) * exp (- y)).
  { intros K. apply Rmult_le_reg_r with (exp (- y)); [apply exp_pos|].
    rewrite <- exp_plus, Rplus_opp_r, exp_0. exact K. }
  destruct (MVT_gen (fun u => (1 + u + u * u / 2) * exp (- u)) y 0 (fun u => - (u * u / 2) * exp (- u))) as [c [Hc E]].
  - intros u _. auto_derive; [auto|]. field.
  - intros u _. apply continuity_pt_filterlim.
    apply (ex_derive_continuous (fun u => (1 + u + u * u / 2) * exp (- u))). auto_derive. auto.
  - rewrite Ropp_0, exp_0 in E. replace ((1 + 0 + 0 * 0 / 2) * 1) with 1 in E by field.
    assert (0 <= c * c / 2 * exp (- c) * (0 - y)); [|lra].
    apply Rmult_le_pos; [|lra]. apply Rmult_le_pos; [nra | left; apply exp_pos].
Qed.

(** Bernstein's lemma: noise of mean 0 and variance v within [-b, b] has, for 0 <= lam < 3/b, mean of e^(lam z) at most
    e^(lam^2 v / (2 (1 - lam b / 3))). *)
Theorem bernstein_lemma (l : law) (b lam : R) : centred l b -> 0 <= lam -> lam * b < 3 ->
  sumn (size l) (fun i => mass l i * exp (lam * value l i)) <= exp (lam * lam * variance l / (2 * (1 - lam * b / 3))).
Proof.
  intros [[Hp H1] [H0 [Hv Hb]]] Hl Hlb. set (k := 3 / (2 * (3 - lam * b))).
  assert (Pk : / 2 <= k).
  { unfold k. assert (0 <= lam * b) by (apply Rmult_le_pos; lra). apply Rmult_le_reg_r with (2 * (3 - lam * b)); [lra|].
    unfold Rdiv. rewrite Rmult_assoc, Rinv_l; lra. }
  replace (lam * lam * variance l / (2 * (1 - lam * b / 3))) with (lam * lam * k * variance l)
    by (unfold k; field; lra).
  apply Rle_trans with (1 + lam * lam * k * variance l); [|apply exp_ineq1_le].
  replace (1 + lam * lam * k * variance l)
    with (sumn (size l) (fun i => mass l i + lam * (mass l i * value l i) + lam * lam * k * (mass l i * (value l i * value l i)))).
  2:{ rewrite !sumn_plus, !sumn_scal, H1, H0. unfold variance. ring. }
  apply sumn_le; intros i Hi. specialize (Hp i Hi). specialize (Hv i Hi). apply abs_le_iff in Hv.
  set (z := value l i) in *.
  replace (mass l i + lam * (mass l i * z) + lam * lam * k * (mass l i * (z * z)))
    with (mass l i * (1 + lam * z + k * (lam * z * (lam * z)))) by ring.
  apply Rmult_le_compat_l; auto. set (y := lam * z).
  assert (Y : y <= lam * b) by (apply Rmult_le_compat_l; lra).
  assert (Q : 0 <= y * y) by apply Rle_0_sqr.
  destruct (Rle_dec 0 y) as [P|P].
  - eapply Rle_trans; [apply exp_quadratic_pos; lra|]. apply Rplus_le_compat_l.
    replace (3 * (y * y) / (2 * (3 - y))) with (3 / (2 * (3 - y)) * (y * y)) by (field; lra).
    apply Rmult_le_compat_r; auto. unfold k, Rdiv. apply Rmult_le_compat_l; [lra|]. apply Rinv_le_contravar; lra.
  - eapply Rle_trans; [apply exp_quadratic_neg; lra|]. apply Rplus_le_compat_l. unfold Rdiv.
    rewrite Rmult_comm. apply Rmult_le_compat_r; auto.
Qed.

Lemma mean_exp_bernstein (ls : list law) (b lam s : R) : List.Forall (fun l => centred l b) ls -> 0 <= lam -> lam * b < 3 ->
  mean ls (fun u => exp (lam * u)) s <= exp (lam * s) * exp (lam * lam * total_variance ls / (2 * (1 - lam * b / 3))).
Proof.
  intros H Hl Hb. revert s. induction H as [|l ls Hc H IH]; intros s; cbn [mean total_variance].
  - unfold Rdiv. rewrite Rmult_0_r, Rmult_0_l, exp_0. lra.
  - pose proof (bernstein_lemma l b lam Hc Hl Hb) as K. destruct Hc as [[Hp _] _].
    set (Q := exp (lam * lam * total_variance ls / (2 * (1 - lam * b / 3)))) in *. assert (PQ : 0 < Q) by apply exp_pos.
    apply Rle_trans with (sumn (size l) (fun i => exp (lam * s) * Q * (mass l i * exp (lam * value l i)))).
    + apply sumn_le; intros i Hi. specialize (IH (s + value l i)).
      replace (exp (lam * s) * Q * (mass l i * exp (lam * value l i)))
        with (mass l i * (exp (lam * (s + value l i)) * Q)).
      * apply Rmult_le_compat_l; auto.
      * rewrite Rmult_plus_distr_l, exp_plus. ring.
    + rewrite sumn_scal.
      replace (lam * lam * (variance l + total_variance ls) / (2 * (1 - lam * b / 3)))
        with (lam * lam * variance l / (2 * (1 - lam * b / 3)) + lam * lam * total_variance ls / (2 * (1 - lam * b / 3)))
        by (field; lra).
      rewrite exp_plus. fold Q.
      apply Rle_trans with (exp (lam * s) * Q * exp (lam * lam * variance l / (2 * (1 - lam * b / 3)))); [|right; ring].
      apply Rmult_le_compat_l; auto. apply Rmult_le_pos; [left; apply exp_pos | lra].
Qed.

(** The same laws with all values negated. *)
Definition negated (l : law) : law := {| size := size l; mass := mass l; value := fun i => - value l i |}.

Lemma negated_centred l b : centred l b -> centred (negated l) b.
Proof.
  intros [[Hp H1] [H0 [Hv Hb]]]. repeat split; simpl; auto.
  - rewrite (sumn_ext _ _ (fun i => (-1) * (mass l i * value l i))) by (intros; ring). rewrite sumn_scal, H0. ring.
  - intros i Hi. rewrite Rabs_Ropp. auto.
Qed.

Lemma negated_mean ls F s : mean (map negated ls) F s = mean ls (fun u => F (- u)) (- s).
Proof.
  revert s. induction ls as [|l ls IH]; intros s; simpl; [now rewrite Ropp_involutive|].
  apply sumn_ext; intros i _. rewrite IH. do 2 f_equal. ring.
Qed.

Lemma negated_variance ls : total_variance (map negated ls) = total_variance ls.
Proof. induction ls as [|l ls IH]; simpl; auto. rewrite IH. f_equal. apply sumn_ext; intros. simpl. ring. Qed.

Lemma bernstein_one_tail (ls : list law) (b t : R) : List.Forall (fun l => centred l b) ls -> 0 < b -> 0 < total_variance ls ->
  0 <= t -> mean ls (fun u => if Rle_dec t u then 1 else 0) 0 <= exp (- (t * t / (2 * (total_variance ls + b * t / 3)))).
Proof.
  intros H Hb HV Ht. set (V := total_variance ls) in *. set (D := V + b * t / 3).
  assert (PD : V <= D) by (unfold D; assert (0 <= b * t) by (apply Rmult_le_pos; lra); lra).
  set (lam := t / D). assert (Hl : 0 <= lam) by (apply Rmult_le_pos; [lra | left; apply Rinv_0_lt_compat; lra]).
  assert (E1 : 1 - lam * b / 3 = V / D) by (unfold lam, D in *; field; lra).
  assert (Hlb : lam * b < 3).
  { assert (0 < V / D) by (apply Rdiv_lt_0_compat; lra). lra. }
  assert (CB : forall F G s, (forall u, F u <= G u) -> mean ls F s <= mean ls G s).
  { intros F G s0 HF. revert s0. clear - H HF. induction H as [|l ls Hc H IH]; intros s0; cbn [mean]; auto.
    destruct Hc as [[Hp _] _]. apply sumn_le; intros i Hi. apply Rmult_le_compat_l; auto. }
  apply Rle_trans with (mean ls (fun u => exp (- (lam * t)) * exp (lam * u)) 0).
  - apply CB. intros u. rewrite <- exp_plus. destruct (Rle_dec t u) as [L|L].
    + rewrite <- exp_0. apply exp_le_mono. assert (lam * t <= lam * u) by (apply Rmult_le_compat_l; lra). lra.
    + left. apply exp_pos.
  - rewrite mean_scal. eapply Rle_trans.
    { apply Rmult_le_compat_l; [left; apply exp_pos | now apply (mean_exp_bernstein ls b)]. }
    fold V. rewrite Rmult_0_r, exp_0, Rmult_1_l, <- exp_plus, E1. right. f_equal. fold D. unfold lam. field. lra.
Qed.

(** noise.bounded_sum_tail (Bernstein): with b a bound on every noise and V the variance of the sum,
    P[|z_1 + ... + z_m| >= t] <= 2 exp(-t^2 / (2 (V + b t / 3))). *)
Theorem bernstein (ls : list law) (b t : R) : List.Forall (fun l => centred l b) ls -> 0 < b -> 0 < total_variance ls -> 0 <= t ->
  mean ls (fun u => if Rle_dec t (Rabs u) then 1 else 0) 0 <= 2 * exp (- (t * t / (2 * (total_variance ls + b * t / 3)))).
Proof.
  intros H Hb HV Ht.
  assert (Hn : List.Forall (fun l => centred l b) (map negated ls)).
  { clear - H. induction H; simpl; constructor; auto. now apply negated_centred. }
  pose proof (bernstein_one_tail ls b t H Hb HV Ht) as A.
  pose proof (bernstein_one_tail (map negated ls) b t Hn Hb) as B. rewrite negated_variance in B. specialize (B HV Ht).
  rewrite negated_mean, Ropp_0 in B.
  apply Rle_trans with (mean ls (fun u => (if Rle_dec t u then 1 else 0) + (if Rle_dec t (- u) then 1 else 0)) 0).
  2:{ rewrite mean_plus. lra. }
  assert (CB : forall F G s, (forall u, F u <= G u) -> mean ls F s <= mean ls G s).
  { intros F G s0 HF. revert s0. clear - H HF. induction H as [|l ls Hc H IH]; intros s0; cbn [mean]; auto.
    destruct Hc as [[Hp _] _]. apply sumn_le; intros i Hi. apply Rmult_le_compat_l; auto. }
  apply CB. intros u. unfold Rabs.
  destruct (Rcase_abs u); repeat (match goal with |- context [Rle_dec t ?x] => destruct (Rle_dec t x) end); lra.
Qed.

(** noise.bounded_sum_tail (Bernstein), solved for the deviation: with l = ln(2/p) and L = b l / 3, the value
    L + sqrt(L^2 + 2 V l) is exceeded with probability at most p. *)
Theorem bernstein_deviation (ls : list law) (b p : R) :
  List.Forall (fun l => centred l b) ls -> 0 < b -> 0 < total_variance ls -> 0 < p <= 1 ->
  let L := b * ln (2 / p) / 3 in
  mean ls (fun u => if Rle_dec (L + sqrt (L * L + 2 * total_variance ls * ln (2 / p))) (Rabs u) then 1 else 0) 0 <= p.
Proof.
  intros H Hb HV Hp L. set (V := total_variance ls) in *. set (l := ln (2 / p)) in *.
  assert (P : 2 <= 2 / p).
  { apply Rmult_le_reg_r with p; [lra|]. unfold Rdiv. rewrite Rmult_assoc, Rinv_l; lra. }
  assert (L0 : 0 <= l) by (unfold l; rewrite <- ln_1; apply ln_le; lra).
  assert (HL : 0 <= L) by (unfold L; apply Rmult_le_pos; [apply Rmult_le_pos; lra | lra]).
  assert (HR : 0 <= L * L + 2 * V * l).
  { assert (0 <= L * L) by (apply Rmult_le_pos; auto). assert (0 <= 2 * V * l) by (apply Rmult_le_pos; lra). lra. }
  set (r := sqrt (L * L + 2 * V * l)). assert (Hr : 0 <= r) by apply sqrt_pos.
  assert (Er : r * r = L * L + 2 * V * l) by (apply sqrt_sqrt; auto).
  eapply Rle_trans; [apply (bernstein ls b (L + r)); auto; lra|]. fold V.
  assert (PD : 0 < V + b * (L + r) / 3).
  { assert (0 <= b * (L + r)) by (apply Rmult_le_pos; lra). lra. }
  replace ((L + r) * (L + r) / (2 * (V + b * (L + r) / 3))) with l.
  - unfold l. rewrite exp_Ropp, exp_ln by lra. right. field. lra.
  - apply Rmult_eq_reg_r with (2 * (V + b * (L + r) / 3)); [|lra].
    replace ((L + r) * (L + r) / (2 * (V + b * (L + r) / 3)) * (2 * (V + b * (L + r) / 3))) with ((L + r) * (L + r))
      by (field; lra).
    replace ((L + r) * (L + r)) with (L * L + 2 * L * r + r * r) by ring. rewrite Er. unfold L. field.
Qed.
