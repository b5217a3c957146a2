(** Chapter kernel: the truncated exponential p_s(x) = sum_{j<=s} x^j/j!. On [0, X] its relative error is the tail of a
    Poisson law: exact, increasing and one-sided. On [-X, X] it is the same integral with the other sign. *)
Require Import Reals Lra Lia Psatz.
From Coquelicot Require Import Coquelicot.
Require Import IntTools Taylor.
Open Scope R_scope.

(** The relative error at X: eps_s(X) = 1 - e^{-X} p_s(X). *)
Definition eps_s (s : nat) (X : R) : R := 1 - exp (- X) * texp s X.

Lemma fact_pos n : 0 < INR (fact n).
Proof. apply INR_fact_lt_0. Qed.

Lemma texp_S s x : texp (S s) x = texp s x + x ^ S s / INR (fact (S s)).
Proof. reflexivity. Qed.

Lemma is_derive_monomial (n : nat) (x : R) :
  is_derive (fun t => t ^ S n / INR (fact (S n))) x (x ^ n / INR (fact n)).
Proof.
  assert (E : INR (fact (S n)) = INR (S n) * INR (fact n)).
  { change (fact (S n)) with (S n * fact n)%nat. apply mult_INR. }
  rewrite E. pose proof (fact_pos n) as F. assert (N : 0 < INR (S n)) by (apply lt_0_INR; lia).
  set (c := INR (fact n)) in *. clearbody c. clear E.
  apply (is_derive_ext (fun t => / (INR (S n) * c) * t ^ S n)).
  { intros t. unfold Rdiv. apply Rmult_comm. }
  replace (x ^ n / c) with (/ (INR (S n) * c) * (INR (S n) * 1 * x ^ n)) by (field; lra).
  apply (is_derive_scal (fun t => t ^ S n)).
  apply (is_derive_pow (fun t => t) (S n) x 1). apply (is_derive_id (K := R_AbsRing)).
Qed.

Lemma is_derive_texp (s : nat) (x : R) : is_derive (texp (S s)) x (texp s x).
Proof.
  induction s.
  - apply (is_derive_ext (fun t => 1 + t)).
    + intros t. unfold texp; simpl. field.
    + unfold texp; simpl. auto_derive; auto. field.
  - apply (is_derive_ext (fun t => texp (S s) t + t ^ S (S s) / INR (fact (S (S s))))).
    + intros t. now rewrite <- texp_S.
    + rewrite texp_S. apply (is_derive_plus (texp (S s))); auto.
      apply is_derive_monomial.
Qed.

Lemma is_derive_eps_s (s : nat) (x : R) : is_derive (eps_s s) x (exp (- x) * (x ^ s / INR (fact s))).
Proof.
  unfold eps_s.
  assert (D : is_derive (texp s) x (texp s x - x ^ s / INR (fact s))).
  { destruct s.
    - apply (is_derive_ext (fun _ => 1)).
      + intros t. unfold texp; simpl. field.
      + unfold texp; simpl. auto_derive; auto. field.
    - rewrite texp_S. replace (texp s x + x ^ S s / INR (fact (S s)) - x ^ S s / INR (fact (S s)))
        with (texp s x) by ring. apply is_derive_texp. }
  evar (l : R). replace (exp (- x) * (x ^ s / INR (fact s))) with l.
  - apply (is_derive_minus (fun _ => 1)); [apply (is_derive_const (V := R_NormedModule) 1)|].
    apply (is_derive_mult (fun x => exp (- x)) (texp s) x (- exp (- x))).
    + auto_derive; auto. ring.
    + exact D.
    + intros; apply Rmult_comm.
  - unfold l, minus, plus, opp, mult, zero; simpl. ring.
Qed.

(** kernel.relative_error: eps_s(X) is the integral of e^{-t} t^s / s! over [0, X] (the incomplete gamma
    function at (s+1, X)). *)
Theorem eps_s_integral (s : nat) (X : R) :
  is_RInt (fun t => exp (- t) * (t ^ s / INR (fact s))) 0 X (eps_s s X).
Proof.
  apply is_RInt_eq with (minus (eps_s s X) (eps_s s 0)).
  - apply (is_RInt_derive (eps_s s)).
    + intros x _. apply is_derive_eps_s.
    + intros x _. apply (ex_derive_continuous (fun t => exp (- t) * (t ^ s / INR (fact s)))).
      auto_derive; auto.
  - unfold minus, plus, opp; simpl. unfold eps_s at 2. rewrite Ropp_0, exp_0, texp_0. ring.
Qed.

(** kernel.relative_error: increasing in X. *)
Theorem eps_s_monotone (s : nat) (X Y : R) : 0 <= X <= Y -> eps_s s X <= eps_s s Y.
Proof.
  intros H. destruct (Req_dec X Y) as [->|N]; [lra|].
  destruct (MVT_gen (eps_s s) X Y (fun x => exp (- x) * (x ^ s / INR (fact s)))) as [c [Hc E]].
  - intros x _. apply is_derive_eps_s.
  - intros x _. apply continuity_pt_filterlim. apply (ex_derive_continuous (eps_s s)).
    eexists. apply is_derive_eps_s.
  - rewrite Rmin_left, Rmax_right in Hc by lra.
    assert (0 <= exp (- c) * (c ^ s / INR (fact s)) * (Y - X)); [|lra].
    apply Rmult_le_pos; [|lra]. apply Rmult_le_pos; [left; apply exp_pos|].
    apply Rmult_le_pos; [apply pow_le; lra | left; apply Rinv_0_lt_compat, fact_pos].
Qed.

Lemma eps_s_0 s : eps_s s 0 = 0.
Proof. unfold eps_s. rewrite Ropp_0, exp_0, texp_0. ring. Qed.

Lemma texp_pos s x : 0 <= x -> 1 <= texp s x.
Proof.
  intros Hx. induction s; [unfold texp; simpl; lra|]. rewrite texp_S.
  assert (0 <= x ^ S s / INR (fact (S s))); [|lra].
  apply Rmult_le_pos; [apply pow_le; lra | left; apply Rinv_0_lt_compat, fact_pos].
Qed.

(** kernel.relative_error: it lies in [0, 1). *)
Theorem eps_s_range (s : nat) (X : R) : 0 <= X -> 0 <= eps_s s X < 1.
Proof.
  intros HX. split.
  - rewrite <- (eps_s_0 s). apply eps_s_monotone. lra.
  - unfold eps_s. pose proof (texp_pos s X HX). pose proof (exp_pos (- X)).
    assert (0 < exp (- X) * texp s X) by (apply Rmult_lt_0_compat; lra). lra.
Qed.

Lemma texp_eps_s (s : nat) (x : R) : texp s x = (1 - eps_s s x) * exp x.
Proof.
  unfold eps_s. replace (1 - (1 - exp (- x) * texp s x)) with (exp (- x) * texp s x) by ring.
  replace (exp (- x) * texp s x * exp x) with (exp (- x + x) * texp s x) by (rewrite exp_plus; ring).
  rewrite Rplus_opp_l, exp_0. ring.
Qed.

(** kernel.relative_error: one-sided on the whole of [0, X], and attained at X (take x = X):
    (1 - eps_s(X)) e^x <= p_s(x) <= e^x. *)
Theorem texp_one_sided (s : nat) (x X : R) : 0 <= x <= X ->
  (1 - eps_s s X) * exp x <= texp s x <= exp x.
Proof.
  intros H. rewrite texp_eps_s. pose proof (exp_pos x).
  pose proof (eps_s_monotone s x X H). pose proof (eps_s_range s x ltac:(lra)).
  split; [apply Rmult_le_compat_r; lra|]. rewrite <- (Rmult_1_l (exp x)) at 2. apply Rmult_le_compat_r; lra.
Qed.

(** kernel.relative_error: the bound is an equality at x = X. *)
Theorem texp_relative_error_exact (s : nat) (X : R) : exp X - texp s X = eps_s s X * exp X.
Proof. rewrite texp_eps_s. ring. Qed.

(** kernel.relative_error: the Poisson tail, P[Poisson(X) > s] = sum over j > s of e^{-X} X^j / j!. *)
Theorem eps_s_poisson_tail (s : nat) (X : R) :
  is_series (fun j => exp (- X) * (X ^ (S s + j) / INR (fact (S s + j)))) (eps_s s X).
Proof.
  assert (P : is_series (fun j => X ^ j / INR (fact j)) (exp X)).
  { pose proof (is_exp_Reals X) as H. unfold is_pseries in H. eapply is_series_ext; [|exact H].
    intros n. simpl. unfold scal; simpl; unfold mult; simpl. rewrite pow_n_pow. unfold Rdiv. ring. }
  replace (eps_s s X) with (scal (exp (- X)) (plus (exp X) (opp (texp s X)))).
  2:{ unfold eps_s, scal, plus, opp; simpl; unfold mult; simpl.
      replace 1 with (exp (- X) * exp X) by (rewrite <- exp_plus, Rplus_opp_l; apply exp_0). ring. }
  apply (is_series_scal (V := R_NormedModule) (exp (- X)) (fun j => X ^ (S s + j) / INR (fact (S s + j)))).
  unfold texp. rewrite <- sum_n_Reals.
  apply (is_series_incr_n (fun j => X ^ j / INR (fact j)) (S s)); [lia|].
  simpl Init.Nat.pred.
  set (p := sum_n (fun j => X ^ j / INR (fact j)) s).
  match goal with |- is_series _ ?l => assert (E : exp X = l) end.
  { change (exp X = exp X + - p + p). lra. }
  rewrite <- E. exact P.
Qed.

(** kernel.smallest_degree: the error shrinks with the degree, so the smallest sufficient degree is well defined. *)
Theorem eps_s_decreasing_in_degree (s : nat) (X : R) : 0 <= X -> eps_s (S s) X <= eps_s s X.
Proof.
  intros HX. unfold eps_s. rewrite texp_S. pose proof (exp_pos (- X)).
  assert (0 <= exp (- X) * (X ^ S s / INR (fact (S s)))); [|lra].
  apply Rmult_le_pos; [lra|]. apply Rmult_le_pos; [apply pow_le; lra | left; apply Rinv_0_lt_compat, fact_pos].
Qed.

(** ** Arguments of either sign. The relative error at -X, up to its sign. *)
Definition signed_eps_s (s : nat) (X : R) : R := (-1) ^ S s * eps_s s (- X).

Lemma pow_m1_abs n : Rabs ((-1) ^ n) = 1.
Proof. rewrite <- RPow_abs. rewrite Rabs_left by lra. replace (- -1) with 1 by ring. apply pow1. Qed.

Lemma pow_m1_sq n : (-1) ^ n * (-1) ^ n = 1.
Proof. rewrite <- Rpow_mult_distr. replace (-1 * -1) with 1 by ring. apply pow1. Qed.

Lemma is_derive_signed (s : nat) (x : R) : is_derive (signed_eps_s s) x (exp x * (x ^ s / INR (fact s))).
Proof.
  unfold signed_eps_s.
  replace (exp x * (x ^ s / INR (fact s)))
    with ((-1) ^ S s * (-1 * (exp (- - x) * ((- x) ^ s / INR (fact s))))).
  - apply (is_derive_scal (fun x => eps_s s (- x))).
    apply (is_derive_comp (eps_s s) (fun x => - x)); [apply is_derive_eps_s|].
    auto_derive; auto. 
  - rewrite Ropp_involutive. replace (- x) with (-1 * x) by ring. rewrite Rpow_mult_distr. cbn [pow].
    pose proof (pow_m1_sq s) as Q. pose proof (fact_pos s).
    replace (-1 * (-1) ^ s * (-1 * (exp x * ((-1) ^ s * x ^ s / INR (fact s)))))
      with ((-1) ^ s * (-1) ^ s * (exp x * (x ^ s / INR (fact s)))) by (field; lra).
    rewrite Q. ring.
Qed.

(** kernel.relative_error_signed: the relative error at -X has size equal to the integral of e^u u^s / s! over [0, X]. *)
Theorem signed_eps_s_integral (s : nat) (X : R) :
  is_RInt (fun u => exp u * (u ^ s / INR (fact s))) 0 X (signed_eps_s s X).
Proof.
  apply is_RInt_eq with (minus (signed_eps_s s X) (signed_eps_s s 0)).
  - apply (is_RInt_derive (signed_eps_s s)).
    + intros x _. apply is_derive_signed.
    + intros x _. apply (ex_derive_continuous (fun u => exp u * (u ^ s / INR (fact s)))). auto_derive; auto.
  - unfold minus, plus, opp; simpl. unfold signed_eps_s at 2. rewrite Ropp_0, eps_s_0. ring.
Qed.

Lemma signed_mono (s : nat) (X Y : R) : 0 <= X <= Y -> signed_eps_s s X <= signed_eps_s s Y.
Proof.
  intros H. destruct (Req_dec X Y) as [->|N]; [lra|].
  destruct (MVT_gen (signed_eps_s s) X Y (fun x => exp x * (x ^ s / INR (fact s)))) as [c [Hc E]].
  - intros x _. apply is_derive_signed.
  - intros x _. apply continuity_pt_filterlim. apply (ex_derive_continuous (signed_eps_s s)).
    eexists. apply is_derive_signed.
  - rewrite Rmin_left, Rmax_right in Hc by lra.
    assert (0 <= exp c * (c ^ s / INR (fact s)) * (Y - X)); [|lra].
    apply Rmult_le_pos; [|lra]. apply Rmult_le_pos; [left; apply exp_pos|].
    apply Rmult_le_pos; [apply pow_le; lra | left; apply Rinv_0_lt_compat, fact_pos].
Qed.

Lemma signed_0 s : signed_eps_s s 0 = 0.
Proof. unfold signed_eps_s. rewrite Ropp_0, eps_s_0. ring. Qed.

(** A positive argument does better than a negative one of the same size. *)
Lemma eps_s_le_signed (s : nat) (X : R) : 0 <= X -> eps_s s X <= signed_eps_s s X.
Proof.
  intros HX.
  rewrite <- (is_RInt_unique (V := R_CompleteNormedModule) _ _ _ _ (eps_s_integral s X)).
  rewrite <- (is_RInt_unique (V := R_CompleteNormedModule) _ _ _ _ (signed_eps_s_integral s X)).
  apply RInt_le; auto; [eexists; apply eps_s_integral | eexists; apply signed_eps_s_integral|].
  intros u Hu. apply Rmult_le_compat_r.
  - apply Rmult_le_pos; [apply pow_le; lra | left; apply Rinv_0_lt_compat, fact_pos].
  - left. apply exp_increasing. lra.
Qed.

Lemma signed_eps_s_abs (s : nat) (X : R) : 0 <= X -> Rabs (eps_s s (- X)) = signed_eps_s s X.
Proof.
  intros HX. assert (P : 0 <= signed_eps_s s X) by (rewrite <- (signed_0 s); apply signed_mono; lra).
  rewrite <- (Rabs_pos_eq _ P). unfold signed_eps_s. now rewrite Rabs_mult, pow_m1_abs, Rmult_1_l.
Qed.

(** kernel.relative_error_signed: on [-X, X] the relative error of p_s is at most signed_eps_s(X). *)
Theorem texp_relative_error_signed (s : nat) (x X : R) : Rabs x <= X ->
  Rabs (texp s x - exp x) <= signed_eps_s s X * exp x.
Proof.
  intros Hx. pose proof (exp_pos x).
  replace (texp s x - exp x) with (- eps_s s x * exp x) by (rewrite texp_eps_s; ring).
  rewrite Rabs_mult, Rabs_Ropp, (Rabs_pos_eq (exp x)) by lra. apply Rmult_le_compat_r; [lra|].
  destruct (Rle_dec 0 x) as [P|P].
  - rewrite Rabs_pos_eq in Hx by auto. pose proof (eps_s_range s x P). rewrite Rabs_pos_eq by lra.
    eapply Rle_trans; [now apply eps_s_le_signed|]. apply signed_mono. lra.
  - rewrite Rabs_left in Hx by lra. replace x with (- - x) by ring. rewrite signed_eps_s_abs by lra.
    apply signed_mono. lra.
Qed.

(** kernel.relative_error_signed: attained at x = -X. *)
Theorem texp_relative_error_signed_attained (s : nat) (X : R) : 0 <= X ->
  Rabs (texp s (- X) - exp (- X)) = signed_eps_s s X * exp (- X).
Proof.
  intros HX. replace (texp s (- X) - exp (- X)) with (- eps_s s (- X) * exp (- X)) by (rewrite texp_eps_s; ring).
  rewrite Rabs_mult, Rabs_Ropp, signed_eps_s_abs by auto. f_equal. apply Rabs_pos_eq. left. apply exp_pos.
Qed.

(** kernel.polynomial_minimum: for even s the truncated exponential is positive everywhere. *)
Theorem texp_even_positive (m : nat) (x : R) : 0 < texp (2 * m) x.
Proof.
  destruct (Rle_dec 0 x) as [P|P]; [pose proof (texp_pos (2 * m) x P); lra|].
  rewrite texp_eps_s. apply Rmult_lt_0_compat; [|apply exp_pos].
  assert (S0 : 0 <= signed_eps_s (2 * m) (- x)) by (rewrite <- (signed_0 (2 * m)); apply signed_mono; lra).
  unfold signed_eps_s in S0. rewrite Ropp_involutive in S0. cbn [pow] in S0. rewrite pow_1_even in S0. lra.
Qed.

(** kernel.polynomial_minimum: for odd s it increases, so its least value on [-X, X] is at -X. *)
Theorem texp_odd_monotone (m : nat) (x y : R) : x <= y -> texp (2 * m + 1) x <= texp (2 * m + 1) y.
Proof.
  intros H. destruct (Req_dec x y) as [->|N]; [lra|]. replace (2 * m + 1)%nat with (S (2 * m)) by lia.
  destruct (MVT_gen (texp (S (2 * m))) x y (texp (2 * m))) as [c [Hc E]].
  - intros z _. apply is_derive_texp.
  - intros z _. apply continuity_pt_filterlim. apply (ex_derive_continuous (texp (S (2 * m)))).
    eexists. apply is_derive_texp.
  - pose proof (texp_even_positive m c). assert (0 <= texp (2 * m) c * (y - x)); [|lra].
    apply Rmult_le_pos; lra.
Qed.

(** kernel.polynomial_minimum, even degree: the least value over all arguments is at the zero z of p_(s-1), where p_s is
    z^s / s!; right of z it increases, so on [-X, X] with z <= -X the least value is at -X. *)
Theorem texp_even_minimum (m : nat) (z : R) : texp (2 * m + 1) z = 0 ->
  texp (2 * m + 2) z = z ^ (2 * m + 2) / INR (fact (2 * m + 2)) /\
  (forall x, texp (2 * m + 2) z <= texp (2 * m + 2) x) /\
  (forall x y, z <= x <= y -> texp (2 * m + 2) x <= texp (2 * m + 2) y).
Proof.
  intros Hz. replace (2 * m + 2)%nat with (S (2 * m + 1)) by lia.
  assert (MV : forall x y, exists c, Rmin x y <= c <= Rmax x y /\
    texp (S (2 * m + 1)) y - texp (S (2 * m + 1)) x = texp (2 * m + 1) c * (y - x)).
  { intros x y. apply (MVT_gen (texp (S (2 * m + 1))) x y (texp (2 * m + 1))).
    - intros t _. apply is_derive_texp.
    - intros t _. apply continuity_pt_filterlim. apply (ex_derive_continuous (texp (S (2 * m + 1)))).
      eexists. apply is_derive_texp. }
  assert (Up : forall x y, z <= x <= y -> texp (S (2 * m + 1)) x <= texp (S (2 * m + 1)) y).
  { intros x y H. destruct (MV x y) as [c [Hc E]]. rewrite Rmin_left, Rmax_right in Hc by lra.
    pose proof (texp_odd_monotone m z c ltac:(lra)) as P. rewrite Hz in P.
    assert (0 <= texp (2 * m + 1) c * (y - x)); [apply Rmult_le_pos; lra | lra]. }
  split; [rewrite texp_S, Hz; ring|]. split; auto.
  intros x. destruct (Rle_dec z x) as [L|L]; [apply Up; lra|].
  destruct (MV x z) as [c [Hc E]]. rewrite Rmin_left, Rmax_right in Hc by lra.
  pose proof (texp_odd_monotone m c z ltac:(lra)) as P. rewrite Hz in P.
  assert (0 <= (- texp (2 * m + 1) c) * (z - x)) by (apply Rmult_le_pos; lra). lra.
Qed.
