(** Riemann-integral helpers on top of Coquelicot (nothing about privacy here). *)
Require Import Reals Lra Lia List.
From Coquelicot Require Import Coquelicot.
Open Scope R_scope.

Lemma is_RInt_eq (f : R -> R) (a b l l' : R) : is_RInt f a b l -> l = l' -> is_RInt f a b l'.
Proof. now intros H ->. Qed.

Lemma is_RInt_join (f : R -> R) (a b c l1 l2 : R) :
  is_RInt f a b l1 -> is_RInt f b c l2 -> is_RInt f a c (l1 + l2).
Proof. exact (is_RInt_Chasles f a b c l1 l2). Qed.

Lemma is_RInt_zero (f : R -> R) a b : a <= b -> (forall x, a < x < b -> f x = 0) -> is_RInt f a b 0.
Proof.
  intros Hab H. apply is_RInt_ext with (fun _ => 0).
  - intros x. rewrite Rmin_left, Rmax_right by auto. intros Hx. symmetry; auto.
  - eapply is_RInt_eq; [apply @is_RInt_const|]. unfold scal; simpl; unfold mult; simpl; ring.
Qed.

Lemma is_RInt_shift (f : R -> R) (m a b l : R) :
  is_RInt f (a - m) (b - m) l -> is_RInt (fun z => f (z - m)) a b l.
Proof.
  intros H.
  apply is_RInt_ext with (fun z => scal 1 (f (1 * z + - m))).
  - intros x _. unfold scal; simpl; unfold mult; simpl. rewrite !Rmult_1_l. reflexivity.
  - apply (is_RInt_comp_lin f 1 (- m) a b l). now rewrite !Rmult_1_l.
Qed.

Lemma is_RInt_even (f : R -> R) (a b l : R) : (forall z, f (- z) = f z) ->
  is_RInt f a b l -> is_RInt f (- b) (- a) l.
Proof.
  intros Ev H.
  assert (H1 : is_RInt (fun z => opp (f (- z))) (- a) (- b) l).
  { apply (is_RInt_comp_opp f (- a) (- b)). now rewrite !Ropp_involutive. }
  apply is_RInt_swap, is_RInt_opp in H1.
  eapply is_RInt_eq; [|apply (opp_opp l)].
  eapply is_RInt_ext; [|exact H1].
  intros z _. simpl. rewrite opp_opp. apply Ev.
Qed.

(** [g] is [h] cut to the interval from p to q (end points: any value). *)
Definition cut_of (p q : R) (h g : R -> R) : Prop :=
  (forall u, p < u < q -> g u = h u) /\ (forall u, u < p \/ q < u -> g u = 0).

Lemma cut_full (p q : R) (h g : R -> R) (l x y : R) : cut_of p q h g ->
  x <= p -> p <= q -> q <= y -> is_RInt h p q l -> is_RInt g x y l.
Proof.
  intros [Ci Co] H1 H2 H3 H.
  apply is_RInt_eq with (0 + l + 0); [|ring].
  apply is_RInt_join with q; [apply is_RInt_join with p|].
  - apply is_RInt_zero; auto. intros u Hu. apply Co; lra.
  - apply is_RInt_ext with h; auto. intros u. rewrite Rmin_left, Rmax_right by auto.
    intros Hu. symmetry. apply Ci; lra.
  - apply is_RInt_zero; auto. intros u Hu. apply Co; lra.
Qed.

Lemma ex_RInt_sub (f : R -> R) a b x y : a <= x -> x <= y -> y <= b -> ex_RInt f a b -> ex_RInt f x y.
Proof.
  intros H1 H2 H3 He.
  apply (ex_RInt_Chasles_2 (V := R_CompleteNormedModule) f a x y); [lra|].
  apply (ex_RInt_Chasles_1 (V := R_CompleteNormedModule) f a y b); [lra|auto].
Qed.

Lemma RInt_sub_le (f : R -> R) a b x y : a <= x -> x <= y -> y <= b ->
  (forall z, 0 <= f z) -> ex_RInt f a b -> RInt f x y <= RInt f a b.
Proof.
  intros H1 H2 H3 Hp He.
  assert (E1 := ex_RInt_sub f a b a x ltac:(lra) ltac:(lra) ltac:(lra) He).
  assert (E2 := ex_RInt_sub f a b x y ltac:(lra) ltac:(lra) ltac:(lra) He).
  assert (E3 := ex_RInt_sub f a b y b ltac:(lra) ltac:(lra) ltac:(lra) He).
  assert (E4 := ex_RInt_sub f a b x b ltac:(lra) ltac:(lra) ltac:(lra) He).
  rewrite <- (RInt_Chasles f a x b E1 E4), <- (RInt_Chasles f x y b E2 E3).
  assert (P1 : 0 <= RInt f a x) by (apply RInt_ge_0; auto).
  assert (P2 : 0 <= RInt f y b) by (apply RInt_ge_0; auto).
  unfold plus; simpl. lra.
Qed.

Lemma cut_any (p q : R) (h g : R -> R) (l x y : R) : cut_of p q h g ->
  p <= q -> x <= y -> is_RInt h p q l -> (forall u, 0 <= g u) ->
  ex_RInt g x y /\ RInt g x y <= l.
Proof.
  intros C Hpq Hxy H Hp.
  assert (F : is_RInt g (Rmin x p) (Rmax y q) l).
  { apply cut_full with p q h; auto. apply Rmin_r. apply Rmax_r. }
  assert (E : ex_RInt g (Rmin x p) (Rmax y q)) by (eexists; eauto).
  pose proof (Rmin_l x p). pose proof (Rmax_l y q).
  split.
  - apply ex_RInt_sub with (Rmin x p) (Rmax y q); auto.
  - rewrite <- (is_RInt_unique _ _ _ _ F). apply RInt_sub_le; auto.
Qed.

(** Half-open interval [p, q) and its indicator. *)
Definition ind (p q u : R) : R := if Rle_dec p u then (if Rlt_dec u q then 1 else 0) else 0.

Lemma ind_cut (p q : R) (h : R -> R) : cut_of p q h (fun u => ind p q u * h u).
Proof.
  split; intros u Hu; unfold ind; destruct (Rle_dec p u), (Rlt_dec u q); try lra.
Qed.

Lemma ind_01 p q u : 0 <= ind p q u <= 1.
Proof. unfold ind. destruct (Rle_dec p u), (Rlt_dec u q); lra. Qed.

(** Extensionality at type R, so that the side goal is an equation that [ring] and [field] accept. *)
Lemma ex_RInt_same (f g : R -> R) (a b : R) : (forall z, f z = g z) -> ex_RInt f a b -> ex_RInt g a b.
Proof. intros H. apply (ex_RInt_ext f g). intros z _. apply H. Qed.
