(** Chapter kernel: how fast the direction of the features changes with the query. *)
Require Import Reals Lra Lia Psatz.
Require Import Sums Cosine Taylor PoissonTail.
Open Scope R_scope.

(** kernel.feature_lipschitz, for the exponential kernel k(x, y) = exp(s <x, y>): the squared distance of the normalised
    features, 2 - 2 k(q, q') / sqrt(k(q, q) k(q', q')), is at most s |q - q'|^2. *)
Theorem direction_lipschitz (d : nat) (s : R) (q q' : nat -> R) :
  2 - 2 * (exp (s * dot d q q') / sqrt (exp (s * nsq d q) * exp (s * nsq d q'))) <= s * nsq d (vsub q q').
Proof.
  assert (S : sqrt (exp (s * nsq d q) * exp (s * nsq d q')) = exp (s * (nsq d q + nsq d q') / 2)).
  { rewrite <- exp_plus. replace (s * nsq d q + s * nsq d q')
      with (s * (nsq d q + nsq d q') / 2 + s * (nsq d q + nsq d q') / 2) by field.
    rewrite exp_plus. apply sqrt_square. left; apply exp_pos. }
  rewrite S. unfold Rdiv at 1. rewrite <- exp_Ropp, <- exp_plus. pose proof (law_of_cosines d q q') as L.
  pose proof (exp_ineq1_le (s * dot d q q' + - (s * (nsq d q + nsq d q') / 2))) as E.
  replace (s * nsq d (vsub q q')) with (- 2 * (s * dot d q q' + - (s * (nsq d q + nsq d q') / 2)));
    [lra | replace (nsq d (vsub q q')) with (nsq d q + nsq d q' - 2 * dot d q q') by lra; field].
Qed.

Lemma texp_pos (s : nat) (t : R) : 0 <= t -> 1 <= texp s t.
Proof.
  intros Ht. induction s as [|s IH]; [unfold texp; simpl; lra|]. rewrite texp_S.
  assert (0 <= t ^ S s / INR (fact (S s))) by (apply Rmult_le_pos;
    [apply pow_le; auto | left; apply Rinv_0_lt_compat, INR_fact_lt_0]). lra.
Qed.

Lemma term_S (s : nat) (t : R) : INR (S s) * (t ^ S s / INR (fact (S s))) = t * (t ^ s / INR (fact s)).
Proof.
  rewrite fact_simpl, mult_INR. pose proof (INR_fact_neq_0 s). assert (INR (S s) <> 0) by (apply not_0_INR; lia).
  simpl pow. field. auto.
Qed.

(** (t - (s + 1)) p_s(t) <= t^(s+1) / s!: by induction on s. *)
Lemma partial_sum_bound (s : nat) (t : R) : 0 <= t -> (t - INR (S s)) * texp s t <= t * (t ^ s / INR (fact s)).
Proof.
  intros Ht. induction s as [|s IH]; [unfold texp; simpl; lra|].
  rewrite texp_S. set (a := t ^ S s / INR (fact (S s))) in *. pose proof (term_S s t) as E. fold a in E.
  rewrite <- E in IH. pose proof (texp_pos s t Ht).
  assert (0 <= a) by (apply Rmult_le_pos; [apply pow_le; auto | left; apply Rinv_0_lt_compat, INR_fact_lt_0]).
  rewrite (S_INR (S s)). nra.
Qed.

(** kernel.feature_lipschitz, for Taylor sums: p_s p_(s+2) <= p_(s+1)^2 for t >= 0, that is p p'' <= p'^2 for p = p_(s+2). *)
Theorem taylor_log_concave (s : nat) (t : R) : 0 <= t -> texp s t * texp (S (S s)) t <= texp (S s) t * texp (S s) t.
Proof.
  intros Ht. pose proof (partial_sum_bound (S s) t Ht) as B. rewrite (texp_S (S s)).
  set (a := t ^ S s / INR (fact (S s))) in *. set (b := t ^ S (S s) / INR (fact (S (S s)))).
  pose proof (term_S (S s) t) as E. fold a b in E.
  assert (T : texp s t = texp (S s) t - a) by (rewrite texp_S; unfold a; ring). rewrite T.
  set (p := texp (S s) t) in *. assert (N : 0 < INR (S (S s))) by (apply lt_0_INR; lia).
  assert (0 <= a) by (apply Rmult_le_pos; [apply pow_le; auto | left; apply Rinv_0_lt_compat, INR_fact_lt_0]).
  cut (p * (b - a) <= a * b); [nra|].
  apply Rmult_le_reg_l with (INR (S (S s))); auto.
  replace (INR (S (S s)) * (p * (b - a))) with (p * (INR (S (S s)) * b) - p * a * INR (S (S s))) by ring.
  replace (INR (S (S s)) * (a * b)) with (a * (INR (S (S s)) * b)) by ring. rewrite E.
  replace (p * (t * a) - p * a * INR (S (S s))) with (a * ((t - INR (S (S s))) * p)) by ring.
  replace (a * (t * a)) with (a * (t * a)) by ring. apply Rmult_le_compat_l; auto.
Qed.

(** kernel.feature_lipschitz, for the Taylor sum of degree s + 2: along v, with t = scale |x|^2, the direction of the features
    has squared speed scale (p'/p) |v|^2 + scale^2 <x, v>^2 (p''/p - (p'/p)^2), and that is at most scale |v|^2. *)
Theorem direction_speed (s : nat) (scale t v2 xv2 : R) : 0 <= scale -> 0 <= t -> 0 <= v2 -> 0 <= xv2 ->
  scale * (texp (S s) t / texp (S (S s)) t) * v2
  + scale ^ 2 * xv2 * (texp s t / texp (S (S s)) t - (texp (S s) t / texp (S (S s)) t) ^ 2) <= scale * v2.
Proof.
  intros Hs Ht Hv Hx. pose proof (taylor_log_concave s t Ht) as C. pose proof (texp_pos (S (S s)) t Ht) as P.
  pose proof (texp_pos (S s) t Ht) as P1. pose proof (texp_S (S s) t) as E.
  assert (0 <= t ^ S (S s) / INR (fact (S (S s)))) by (apply Rmult_le_pos;
    [apply pow_le; auto | left; apply Rinv_0_lt_compat, INR_fact_lt_0]).
  set (p := texp (S (S s)) t) in *. set (p1 := texp (S s) t) in *. set (p2 := texp s t) in *.
  assert (R1 : p1 / p <= 1) by (apply Rmult_le_reg_r with p; [lra|]; unfold Rdiv;
    rewrite Rmult_assoc, Rinv_l by lra; lra).
  assert (R2 : p2 / p - (p1 / p) ^ 2 <= 0).
  { replace (p2 / p - (p1 / p) ^ 2) with ((p2 * p - p1 * p1) * / (p * p)) by (field; lra).
    assert (0 < / (p * p)) by (apply Rinv_0_lt_compat; nra). nra. }
  assert (0 <= scale * v2) by (apply Rmult_le_pos; auto).
  assert (0 <= scale ^ 2 * xv2) by (apply Rmult_le_pos; auto; apply pow2_ge_0).
  assert (scale * (p1 / p) * v2 <= scale * v2) by (replace (scale * (p1 / p) * v2) with (scale * v2 * (p1 / p)) by ring; nra).
  nra.
Qed.
