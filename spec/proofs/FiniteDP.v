(** Chapter privacy, on finite distributions: every test is admissible, so no side condition is left. Also what shows
    that the theorems of DP.v are not vacuous, and that their constants are attained. *)
Require Import Reals Lra Lia.
Require Import Sums DP.
Open Scope R_scope.

Definition any {X} (_ : X -> R) : Prop := True.
Definition fin (n : nat) (p : nat -> R) : op nat := fun f => sumn n (fun i => p i * f i).
Definition pmf (n : nat) (p : nat -> R) : Prop :=
  (forall i, (i < n)%nat -> 0 <= p i) /\ sumn n p = 1.

Lemma fin_prob n p : pmf n p -> prob any (fin n p).
Proof.
  intros [Hp H1]. split; unfold fin; intros.
  - apply sumn_le; intros i Hi. apply Rmult_le_compat_l; auto.
  - rewrite <- sumn_scal. apply sumn_ext; intros; ring.
  - replace (sumn n (fun i => p i * f i) + c) with (sumn n (fun i => p i * f i) + sumn n p * c) by (rewrite H1; ring). rewrite <- sumn_scal_r, <- sumn_plus.
    apply sumn_ext; intros; ring.
Qed.

(** privacy.basic_composition, for finitely many outputs. *)
Theorem dp_compose_finite (n k : nat) (p p' : nat -> R) (q q' : nat -> nat -> R) e1 d1 e2 d2 :
  0 <= e2 -> 0 <= d2 -> pmf n p -> pmf n p' -> (forall i, pmf k (q i)) -> (forall i, pmf k (q' i)) ->
  dp any e1 d1 (fin n p) (fin n p') ->
  (forall i, dp any e2 d2 (fin k (q i)) (fin k (q' i))) ->
  forall f : nat * nat -> R, test f ->
    sumn n (fun i => p i * sumn k (fun j => q i j * f (i, j)))
    <= exp (e1 + e2) * sumn n (fun i => p' i * sumn k (fun j => q' i j * f (i, j))) + (d1 + d2).
Proof.
  intros He Hd Pp Pp' Pq Pq' D1 D2 f Hf.
  apply (dp_compose nat nat any any e1 d1 e2 d2 (fin n p) (fin n p')
           (fun i => fin k (q i)) (fun i => fin k (q' i))); auto using fin_prob.
  - intros x g Hg _. unfold fin. destruct (Pq x) as [A B]. rewrite <- B.
    apply sumn_le; intros i Hi. destruct (Hg i). specialize (A i Hi). nra.
  - intros x g Hg _. unfold fin. destruct (Pq' x) as [A B].
    apply sumn_nonneg; intros i Hi. destruct (Hg i). specialize (A i Hi). nra.
  - repeat split.
Qed.

(** What a two-point distribution with probability x of the point 1 gives a test. *)
Definition coin (x : R) : nat -> R := fun i => match i with O => 1 - x | _ => x end.

Lemma coin_pmf x : 0 <= x <= 1 -> pmf 2 (coin x).
Proof.
  intros Hx. split; [|simpl; lra]. intros [|[|i]] Hi; simpl; try lra; lia.
Qed.

Lemma fin_coin x f : fin 2 (coin x) f = (1 - x) * f 0%nat + x * f 1%nat.
Proof. unfold fin; simpl. ring. Qed.

(** privacy.group_privacy: the constant cannot be improved. There is a chain of coins, (eps, delta)-DP step by
    step in both directions, whose ends differ by exactly that much on the event 1. *)
Theorem dp_group_tight (eps delta : R) (g : nat) :
  0 < eps -> 0 <= delta -> group_delta eps delta g <= / 2 ->
  exists x : nat -> R,
    (forall i, (i <= g)%nat -> 0 <= x i <= 1) /\
    (forall i, (i < g)%nat -> dp any eps delta (fin 2 (coin (x i))) (fin 2 (coin (x (S i))))) /\
    (forall i, (i < g)%nat -> dp any eps delta (fin 2 (coin (x (S i)))) (fin 2 (coin (x i)))) /\
    x 0%nat = exp (INR g * eps) * x g + group_delta eps delta g.
Proof.
  unfold group_delta. intros He Hd Hg. rewrite <- geometric_sum in * by lra.
  assert (Hx1 : 1 < exp eps) by (rewrite <- exp_0; now apply exp_increasing).
  set (y := fun i => delta * sumn i (fun i => exp (INR i * eps))) in *.
  assert (Hstep : forall i, y (S i) = exp eps * y i + delta).
  { intros i. unfold y. rewrite !geometric_sum by lra. rewrite S_INR, Rmult_plus_distr_r, exp_plus, Rmult_1_l.
    field. lra. }
  assert (Hmono : forall i j, (i <= j)%nat -> y i <= y j).
  { intros i j Hij. induction Hij; [lra|]. eapply Rle_trans; [exact IHHij|]. unfold y. cbn [sumn].
    apply Rmult_le_compat_l; auto. pose proof (exp_pos (INR m * eps)). lra. }
  assert (Y0 : y 0%nat = 0) by (unfold y; simpl; ring).
  assert (Hr : forall i, (i <= g)%nat -> 0 <= y i <= / 2).
  { intros i Hi. split; [rewrite <- Y0; apply Hmono; lia|].
    eapply Rle_trans; [apply (Hmono i g Hi)|exact Hg]. }
  exists (fun i => y (g - i)%nat). repeat split.
  - apply Hr; lia.
  - eapply Rle_trans; [apply Hr; lia|lra].
  - intros i Hi f Hf _. rewrite !fin_coin. replace (g - i)%nat with (S (g - S i)) by lia.
    pose proof (Hr (g - S i)%nat ltac:(lia)). pose proof (Hr (S (g - S i)) ltac:(lia)) as H2.
    rewrite Hstep in *. set (u := y (g - S i)%nat) in *. destruct (Hf 0%nat), (Hf 1%nat).
    set (a := f 0%nat) in *. set (b := f 1%nat) in *. clearbody a b u. clear - H H2 Hd Hx1 H0 H1 H3 H4.
    set (E := exp eps) in *. clearbody E.
    assert (0 <= (1 - u) * a * (E - 1)) by (apply Rmult_le_pos; [apply Rmult_le_pos|]; lra).
    assert (0 <= a * (E * u + delta - u)) by (apply Rmult_le_pos; nra).
    assert (0 <= delta * (1 - b)) by (apply Rmult_le_pos; lra). nra.
  - intros i Hi f Hf _. rewrite !fin_coin. replace (g - i)%nat with (S (g - S i)) by lia.
    pose proof (Hr (g - S i)%nat ltac:(lia)). pose proof (Hr (S (g - S i)) ltac:(lia)) as H2.
    rewrite Hstep in *. set (u := y (g - S i)%nat) in *. destruct (Hf 0%nat), (Hf 1%nat).
    set (a := f 0%nat) in *. set (b := f 1%nat) in *. clearbody a b u. clear - H H2 Hd Hx1 H0 H1 H3 H4.
    set (E := exp eps) in *. clearbody E. set (v := E * u + delta) in *.
    assert (u * b <= E * (v * b)).
    { assert (u <= v) by (unfold v; nra). assert (u * b <= v * b) by (apply Rmult_le_compat_r; lra).
      assert (0 <= v * b) by (apply Rmult_le_pos; lra). nra. }
    assert ((1 - u) * a <= E * ((1 - v) * a) + delta).
    { assert (1 - u <= E * (1 - v) + delta) by (unfold v in *; nra).
      assert ((1 - u) * a <= (E * (1 - v) + delta) * a) by (apply Rmult_le_compat_r; lra). nra. }
    nra.
  - rewrite Nat.sub_0_r, Nat.sub_diag, Y0, Rmult_0_r, Rplus_0_l. reflexivity.
Qed.

(** privacy.failure_probability: a public coin decides which of finitely many mechanisms runs; those that may
    fail to be (eps, delta)-DP are chosen with probability at most pf. The whole is (eps, delta + pf)-DP. *)
Theorem dp_failure_probability_finite (c n : nat) (r : nat -> R) (good : nat -> bool)
    (p p' : nat -> nat -> R) (eps delta pf : R) :
  0 <= delta -> pmf c r -> (forall i, pmf n (p i)) -> (forall i, pmf n (p' i)) ->
  sumn c (fun i => if good i then 0 else r i) <= pf ->
  (forall i, good i = true -> dp any eps delta (fin n (p i)) (fin n (p' i))) ->
  dp any eps (delta + pf) (fun f => sumn c (fun i => r i * fin n (p i) f))
                          (fun f => sumn c (fun i => r i * fin n (p' i) f)).
Proof.
  intros Hd [Hr R1] Hp Hp' Hpf HD f Hf _. pose proof (exp_pos eps) as He.
  apply Rle_trans with (exp eps * sumn c (fun i => r i * fin n (p' i) f) + (sumn c r * delta
    + sumn c (fun i => if good i then 0 else r i))); [|rewrite R1; lra].
  rewrite <- sumn_scal, <- sumn_scal_r, <- !sumn_plus. apply sumn_le; intros i Hi. specialize (Hr i Hi).
  assert (U : 0 <= fin n (p' i) f).
  { destruct (Hp' i) as [A _]. apply sumn_nonneg; intros j Hj. destruct (Hf j).
    apply Rmult_le_pos; auto. }
  destruct (good i) eqn:G.
  - specialize (HD i G f Hf I).
    assert (r i * fin n (p i) f <= r i * (exp eps * fin n (p' i) f + delta)) by (apply Rmult_le_compat_l; auto).
    lra.
  - assert (fin n (p i) f <= 1).
    { destruct (Hp i) as [A B]. rewrite <- B. apply sumn_le; intros j Hj. destruct (Hf j).
      rewrite <- (Rmult_1_r (p i j)) at 2. apply Rmult_le_compat_l; auto. }
    assert (r i * fin n (p i) f <= r i * 1) by (apply Rmult_le_compat_l; auto).
    assert (0 <= exp eps * (r i * fin n (p' i) f)) by (apply Rmult_le_pos; [lra|apply Rmult_le_pos; auto]).
    assert (0 <= r i * delta) by (apply Rmult_le_pos; auto). lra.
Qed.

(** privacy.failure_probability: pf cannot be left out. Publishing the secret bit with probability pf, and
    nothing otherwise, is private when it does not fail, and (eps, delta)-DP for no delta < pf. *)
Theorem failure_probability_tight (eps delta pf : R) :
  0 <= pf <= 1 -> delta < pf ->
  dp any 0 0 (fin 2 (coin 0)) (fin 2 (coin 0)) /\
  ~ dp any eps delta (fun f => sumn 2 (fun i => coin pf i * fin 2 (coin (match i with O => 0 | _ => 1 end)) f))
                     (fun f => sumn 2 (fun i => coin pf i * fin 2 (coin (match i with O => 0 | _ => 0 end)) f)).
Proof.
  intros Hp Hd. split.
  - intros f _ _. rewrite exp_0. lra.
  - intros H. specialize (H (fun i => match i with O => 0 | _ => 1 end)).
    cbn [sumn] in H. rewrite !fin_coin in H. simpl in H.
    assert (K : test (fun i : nat => match i with O => 0 | _ => 1 end)) by (intros [|i]; lra).
    specialize (H K I). pose proof (exp_pos eps). nra.
Qed.

(** noise.table_error: two draws, each replaced by one whose every test moves by at most its tau: the taus add up. *)
Theorem tv_compose_finite (n k : nat) (p p' : nat -> R) (q q' : nat -> nat -> R) (tau1 tau2 : R) :
  pmf n p -> (forall i, pmf k (q' i)) ->
  (forall f, test f -> Rabs (fin n p' f - fin n p f) <= tau1) ->
  (forall i f, test f -> Rabs (fin k (q' i) f - fin k (q i) f) <= tau2) ->
  forall f : nat * nat -> R, test f ->
    Rabs (fin n p' (fun i => fin k (q' i) (fun j => f (i, j))) - fin n p (fun i => fin k (q i) (fun j => f (i, j))))
    <= tau1 + tau2.
Proof.
  intros [Hp Hp1] Hq' H1 H2 f Hf.
  set (g' := fun i => fin k (q' i) (fun j => f (i, j))). set (g := fun i => fin k (q i) (fun j => f (i, j))).
  assert (T : test g').
  { intros i. destruct (Hq' i) as [A B]. unfold g', fin. split.
    - apply sumn_nonneg; intros j Hj. apply Rmult_le_pos; auto. apply Hf.
    - rewrite <- B. apply sumn_le; intros j Hj. rewrite <- (Rmult_1_r (q' i j)) at 2. apply Rmult_le_compat_l; auto.
      apply Hf. }
  replace (fin n p' g' - fin n p g) with ((fin n p' g' - fin n p g') + fin n p (fun i => g' i - g i)).
  2:{ unfold fin. rewrite (sumn_ext n (fun i => p i * (g' i - g i)) (fun i => p i * g' i - p i * g i)) by (intros; ring).
      rewrite sumn_minus. ring. }
  eapply Rle_trans; [apply Rabs_triang|]. apply Rplus_le_compat; [now apply H1|].
  unfold fin. eapply Rle_trans; [apply sumn_abs|]. rewrite <- (Rmult_1_l tau2), <- Hp1, <- sumn_scal_r.
  apply sumn_le; intros i Hi. rewrite Rabs_mult, (Rabs_pos_eq (p i)) by auto. apply Rmult_le_compat_l; auto.
  apply (H2 i (fun j => f (i, j))). intros j. apply Hf.
Qed.
