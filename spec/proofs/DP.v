(** Chapter privacy: (eps, delta)-DP calculus over abstract expectation operators:
    [E f] is the probability that a randomised test f : X -> [0,1] accepts. *)
Require Import Reals Lra Lia.
Require Import Sums.
Open Scope R_scope.

Definition op (X : Type) := (X -> R) -> R.
Definition test {X} (f : X -> R) : Prop := forall x, 0 <= f x <= 1.

(** What is used of a probability distribution. [adm] is the class of tests it can
    integrate (measurable, Riemann-integrable, everything for a finite sum). *)
Record prob {X} (adm : (X -> R) -> Prop) (E : op X) : Prop := {
  p_mono  : forall f g, adm f -> adm g -> (forall x, f x <= g x) -> E f <= E g;
  p_scal  : forall c f, 0 <= c -> adm f -> E (fun x => c * f x) = c * E f;
  p_shift : forall c f, adm f -> E (fun x => f x + c) = E f + c
}.

(** E is (eps, delta)-close to E' (one direction), for the admissible tests. *)
Definition dp {X} (adm : (X -> R) -> Prop) (eps delta : R) (E E' : op X) : Prop :=
  forall f, test f -> adm f -> E f <= exp eps * E' f + delta.

(** privacy.post_processing: what is computed from an (eps, delta)-DP output is (eps, delta)-DP. *)
Theorem dp_post {X Y} (admX : (X -> R) -> Prop) (admY : (Y -> R) -> Prop) (h : X -> Y)
    (eps delta : R) (E E' : op X) :
  (forall f, admY f -> admX (fun x => f (h x))) ->
  dp admX eps delta E E' ->
  dp admY eps delta (fun f => E (fun x => f (h x))) (fun f => E' (fun x => f (h x))).
Proof. intros Hh H f Hf Ha. apply H; auto. intros x; apply Hf. Qed.

Section Compose.
Variables X Y : Type.
Variable admX : (X -> R) -> Prop.
Variable admY : (Y -> R) -> Prop.
Variables (eps1 delta1 eps2 delta2 : R).
Variables E E' : op X.            (* first release, on neighbours *)
Variables F F' : X -> op Y.       (* second release, may depend on the first output *)
Hypothesis He2 : 0 <= eps2.
Hypothesis Hd2 : 0 <= delta2.
Hypothesis PE : prob admX E.
Hypothesis PE' : prob admX E'.
Hypothesis D1 : dp admX eps1 delta1 E E'.
Hypothesis D2 : forall x, dp admY eps2 delta2 (F x) (F' x).
Hypothesis F_test : forall x f, test f -> admY f -> F x f <= 1.
Hypothesis F'_nonneg : forall x f, test f -> admY f -> 0 <= F' x f.
(* closure of the class of tests under what the proof forms *)
Definition adm2 (f : X * Y -> R) : Prop :=
  (forall x, admY (fun y => f (x, y)))
  /\ admX (fun x => F x (fun y => f (x, y)))
  /\ admX (fun x => F' x (fun y => f (x, y)))
  /\ admX (fun x => exp eps2 * F' x (fun y => f (x, y)))
  /\ admX (fun x => Rmin 1 (exp eps2 * F' x (fun y => f (x, y))))
  /\ admX (fun x => Rmin 1 (exp eps2 * F' x (fun y => f (x, y))) + delta2).

(** privacy.basic_composition: a second release, chosen after seeing the first, adds its eps and its delta. *)
Theorem dp_compose :
  dp adm2 (eps1 + eps2) (delta1 + delta2)
     (fun f => E (fun x => F x (fun y => f (x, y))))
     (fun f => E' (fun x => F' x (fun y => f (x, y)))).
Proof.
  intros f Hf [A0 [A1 [A2 [A3 [A4 A5]]]]].
  set (g := fun x => F x (fun y => f (x, y))) in *.
  set (g' := fun x => F' x (fun y => f (x, y))) in *.
  assert (T : forall x, test (fun y => f (x, y))) by (intros x y; apply Hf).
  assert (G' : forall x, 0 <= g' x) by (intros x; apply F'_nonneg; auto).
  set (m := fun x => Rmin 1 (exp eps2 * g' x)).
  assert (Hm : test m).
  { intros x. split; [|apply Rmin_l]. apply Rmin_glb; [lra|].
    apply Rmult_le_pos; auto. left; apply exp_pos. }
  assert (S1 : E g <= E m + delta2).
  { rewrite <- (p_shift _ _ PE delta2 m A4). apply (p_mono _ _ PE); auto.
    intros x. unfold m, Rmin. specialize (D2 x _ (T x) (A0 x)). fold (g x) (g' x) in D2.
    pose proof (F_test x _ (T x) (A0 x)) as U. fold (g x) in U.
    destruct (Rle_dec 1 (exp eps2 * g' x)); lra. }
  assert (S2 : E m <= exp eps1 * E' m + delta1) by (apply D1; auto).
  assert (S3 : E' m <= exp eps2 * E' g').
  { rewrite <- (p_scal _ _ PE' (exp eps2) g'); auto; [|left; apply exp_pos].
    apply (p_mono _ _ PE'); auto. intros x. apply Rmin_r. }
  rewrite exp_plus. pose proof (exp_pos eps1).
  assert (exp eps1 * E' m <= exp eps1 * (exp eps2 * E' g')) by (apply Rmult_le_compat_l; lra).
  lra.
Qed.
End Compose.

(** privacy.group_privacy, two steps: eps adds up, and the second delta is multiplied by e^eps of the first. *)
Theorem dp_group {X} (adm : (X -> R) -> Prop) e1 d1 e2 d2 (E0 E1 E2 : op X) :
  dp adm e1 d1 E0 E1 -> dp adm e2 d2 E1 E2 -> dp adm (e1 + e2) (d1 + exp e1 * d2) E0 E2.
Proof.
  intros H1 H2 f Hf Ha. specialize (H1 f Hf Ha). specialize (H2 f Hf Ha).
  rewrite exp_plus. pose proof (exp_pos e1).
  assert (exp e1 * E1 f <= exp e1 * (exp e2 * E2 f + d2)) by (apply Rmult_le_compat_l; lra).
  lra.
Qed.

(** privacy.group_privacy: along a chain of g neighbouring datasets the (eps, delta) of one step adds up to
    (g eps, delta (1 + e^eps + ... + e^((g-1) eps))). *)
Theorem dp_group_chain {X} (adm : (X -> R) -> Prop) (eps delta : R) (E : nat -> op X) (g : nat) :
  (forall i, (i < g)%nat -> dp adm eps delta (E i) (E (S i))) ->
  dp adm (INR g * eps) (delta * sumn g (fun i => exp (INR i * eps))) (E 0%nat) (E g).
Proof.
  induction g as [|g IH]; intros H.
  - intros f _ _. simpl. rewrite Rmult_0_l, exp_0. lra.
  - cbn [sumn]. rewrite S_INR.
    replace ((INR g + 1) * eps) with (INR g * eps + eps) by ring.
    replace (delta * (sumn g (fun i => exp (INR i * eps)) + exp (INR g * eps)))
      with (delta * sumn g (fun i => exp (INR i * eps)) + exp (INR g * eps) * delta) by ring.
    apply dp_group with (E1 := E g); auto.
Qed.

(** delta of a group of g rows. *)
Definition group_delta (eps delta : R) (g : nat) : R := delta * ((exp (INR g * eps) - 1) / (exp eps - 1)).

Lemma geometric_sum (eps : R) (g : nat) : eps <> 0 ->
  sumn g (fun i => exp (INR i * eps)) = (exp (INR g * eps) - 1) / (exp eps - 1).
Proof.
  intros He.
  assert (exp eps - 1 <> 0).
  { intros H. apply He. apply exp_inv. rewrite exp_0. lra. }
  induction g as [|g IH]; cbn [sumn].
  - simpl. rewrite Rmult_0_l, exp_0. field. auto.
  - rewrite IH, S_INR, Rmult_plus_distr_r, exp_plus, Rmult_1_l. field. auto.
Qed.

(** privacy.group_privacy: (eps, delta) per row gives (g eps, delta (e^(g eps) - 1)/(e^eps - 1)) for g rows. *)
Theorem dp_group_exact {X} (adm : (X -> R) -> Prop) (eps delta : R) (E : nat -> op X) (g : nat) :
  0 < eps ->
  (forall i, (i < g)%nat -> dp adm eps delta (E i) (E (S i))) ->
  dp adm (INR g * eps) (group_delta eps delta g) (E 0%nat) (E g).
Proof.
  unfold group_delta. intros He H. rewrite <- geometric_sum by lra. now apply dp_group_chain.
Qed.

(** privacy.failure_probability: if, apart from failures of probability at most pf, a mechanism behaves like
    (G, G'), and these are (eps, delta)-indistinguishable, then it is (eps, delta + pf)-DP, not (eps, delta)-DP. *)
Theorem dp_failure_probability {X} (adm : (X -> R) -> Prop) (eps delta pf : R) (E E' G G' : op X) :
  (forall f, test f -> adm f -> E f <= G f + pf) ->
  (forall f, test f -> adm f -> G' f <= E' f) ->
  dp adm eps delta G G' ->
  dp adm eps (delta + pf) E E'.
Proof.
  intros H H' D f Hf Ha. specialize (H f Hf Ha). specialize (H' f Hf Ha). specialize (D f Hf Ha).
  pose proof (exp_pos eps). assert (exp eps * G' f <= exp eps * E' f) by (apply Rmult_le_compat_l; lra). lra.
Qed.

(** noise.table_error: replacing each law by one at total variation at most tau (no event's probability moves
    by more) costs tau (1 + e^eps) in delta. *)
Theorem dp_perturbed {X} (adm : (X -> R) -> Prop) (eps delta tau : R) (E E' F F' : op X) :
  (forall f, test f -> adm f -> Rabs (F f - E f) <= tau) ->
  (forall f, test f -> adm f -> Rabs (F' f - E' f) <= tau) ->
  dp adm eps delta E E' ->
  dp adm eps (delta + tau * (1 + exp eps)) F F'.
Proof.
  intros H H' D f Hf Ha. specialize (H f Hf Ha). specialize (H' f Hf Ha). specialize (D f Hf Ha).
  apply abs_le_iff in H. apply abs_le_iff in H'. pose proof (exp_pos eps).
  assert (exp eps * E' f <= exp eps * (F' f + tau)) by (apply Rmult_le_compat_l; lra). lra.
Qed.
