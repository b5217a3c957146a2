(** Chapters distance and tree: sensitivity of weighted kernel sums and of all node sums to the replacement of one row. *)
Require Import Reals Lra Lia List.
Require Import Sums Segtree.
Open Scope R_scope.

Section Sens.
Variable T : Type.
Variable phi : T -> R.
Variables Rw G : R.

Definition ksum (n : nat) (w : nat -> R) (k : nat -> T) : R := sumn n (fun i => w i * phi (k i)).

(** Replace row j: both its weight and its key may change. Only the two rows involved
    have to satisfy the bounds. *)
Theorem replace_one_row (n j : nat) (w w' : nat -> R) (k k' : nat -> T) :
  (j < n)%nat ->
  (forall i, (i < n)%nat -> i <> j -> w i = w' i /\ k i = k' i) ->
  Rabs (w j) <= Rw -> Rabs (w' j) <= Rw ->
  Rabs (phi (k j)) <= G -> Rabs (phi (k' j)) <= G ->
  Rabs (ksum n w k - ksum n w' k') <= 2 * Rw * G.
Proof.
  intros Hj Heq H1 H2 H3 H4. unfold ksum. rewrite (sumn_diff1 n _ _ j Hj).
  2:{ intros i Hn Hi. destruct (Heq i Hn Hi) as [-> ->]. reflexivity. }
  unfold Rminus. eapply Rle_trans; [apply Rabs_triang|].
  rewrite Rabs_Ropp, !Rabs_mult.
  assert (A : forall u x, Rabs u <= Rw -> Rabs (phi x) <= G -> Rabs u * Rabs (phi x) <= Rw * G).
  { intros u x Hu Hx. apply Rmult_le_compat; auto using Rabs_pos. }
  generalize (A _ (k j) H1 H3) (A _ (k' j) H2 H4). lra.
Qed.

(** Non-negative summands (weights and kernel): the constant 2 becomes 1. *)
Theorem replace_one_row_nonneg (n j : nat) (w w' : nat -> R) (k k' : nat -> T) :
  (j < n)%nat ->
  (forall i, (i < n)%nat -> i <> j -> w i = w' i /\ k i = k' i) ->
  0 <= w j <= Rw -> 0 <= w' j <= Rw ->
  0 <= phi (k j) <= G -> 0 <= phi (k' j) <= G ->
  Rabs (ksum n w k - ksum n w' k') <= Rw * G.
Proof.
  intros Hj Heq H1 H2 H3 H4. unfold ksum. rewrite (sumn_diff1 n _ _ j Hj).
  2:{ intros i Hn Hi. destruct (Heq i Hn Hi) as [-> ->]. reflexivity. }
  assert (A : forall u x, 0 <= u <= Rw -> 0 <= x <= G -> 0 <= u * x <= Rw * G).
  { intros u x [U1 U2] [X1 X2]. split.
    - apply Rmult_le_pos; auto.
    - apply Rmult_le_compat; auto. }
  apply abs_le_iff. generalize (A _ _ H1 H3) (A _ _ H2 H4). lra.
Qed.

(** Adding or removing one row. *)
Theorem drop_one_row (n j : nat) (w : nat -> R) (k : nat -> T) :
  (j < n)%nat -> Rabs (w j) <= Rw -> Rabs (phi (k j)) <= G ->
  Rabs (ksum n w k - ksum n (fun i => if Nat.eq_dec i j then 0 else w i) k) <= Rw * G.
Proof.
  intros Hj H1 H2. unfold ksum. rewrite (sumn_diff1 n _ _ j Hj).
  2:{ intros i _ Hi. destruct (Nat.eq_dec i j); [contradiction|reflexivity]. }
  destruct (Nat.eq_dec j j); [|congruence].
  rewrite Rmult_0_l, Rminus_0_r, Rabs_mult.
  apply Rmult_le_compat; auto using Rabs_pos.
Qed.
End Sens.

(** ** Trees. *)
Fixpoint suml {A} (f : A -> R) (us : list A) : R :=
  match us with nil => 0 | cons u us => f u + suml f us end.

Definition node_sum (f : nat -> R) (u : node) : R :=
  sumn (2 ^ fst u) (fun i => f (node_lo u + i)%nat).

Lemma node_sum_diff (f g : nat -> R) (x : nat) (u : node) :
  (forall i, i <> x -> f i = g i) ->
  node_sum f u - node_sum g u = if in_node x u then f x - g x else 0.
Proof.
  intros H. unfold node_sum. destruct (in_node x u) eqn:E.
  - unfold in_node, node_hi in E. destruct u as [j i]. unfold node_lo in *; cbn [fst snd] in *.
    apply Bool.andb_true_iff in E. destruct E as [E1 E2].
    apply Nat.leb_le in E1. apply Nat.ltb_lt in E2.
    rewrite (sumn_diff1 _ _ _ (x - i * 2 ^ j)%nat).
    + now replace (i * 2 ^ j + (x - i * 2 ^ j))%nat with x by lia.
    + lia.
    + intros m _ Hm. apply H. lia.
  - unfold in_node, node_hi in E. destruct u as [j i]. unfold node_lo in *; cbn [fst snd] in *.
    apply Bool.andb_false_iff in E.
    rewrite (sumn_ext _ (fun m => f (i * 2 ^ j + m)%nat) (fun m => g (i * 2 ^ j + m)%nat)); [ring|].
    intros m Hm. apply H. destruct E as [E|E].
    + apply Nat.leb_gt in E. lia.
    + apply Nat.ltb_ge in E. lia.
Qed.

(** tree.sensitivity_l1: changing one leaf by at most c moves the vector of all node sums by at most (k+1) c in l1. *)
Theorem tree_l1_sensitivity (k x : nat) (f g : nat -> R) (c : R) :
  (x < 2 ^ k)%nat ->
  (forall i, i <> x -> f i = g i) -> Rabs (f x - g x) <= c ->
  suml (fun u => Rabs (node_sum f u - node_sum g u)) (all_nodes k) <= INR (k + 1) * c.
Proof.
  intros Hx Heq Hc.
  rewrite <- (leaf_in_exactly_k1_nodes k x Hx). unfold count.
  induction (all_nodes k) as [|u us IH]; simpl; [lra|].
  rewrite (node_sum_diff f g x u Heq).
  destruct (in_node x u); [|rewrite Rabs_R0; lra].
  cbn [length]. rewrite S_INR. lra.
Qed.

(** What a query returns: the range sum, from its canonical nodes. *)
Lemma suml_app {A} (f : A -> R) us vs : suml f (us ++ vs) = suml f us + suml f vs.
Proof. induction us; simpl; [ring | rewrite IHus; ring]. Qed.

Lemma sumn_split (n m : nat) (f : nat -> R) :
  sumn (n + m) f = sumn n f + sumn m (fun i => f (n + i)%nat).
Proof.
  induction m; simpl; [rewrite Nat.add_0_r; ring|].
  rewrite Nat.add_succ_r. simpl. rewrite IHm. ring.
Qed.

Definition mask (l r : nat) (f : nat -> R) (x : nat) : R := if inb x l r then f x else 0.

(** tree.node_sum: a node is the sum of its two children. *)
Theorem node_sum_split (f : nat -> R) (k i : nat) :
  node_sum f (S k, i) = node_sum f (k, 2 * i)%nat + node_sum f (k, 2 * i + 1)%nat.
Proof.
  unfold node_sum, node_lo; cbn [fst snd].
  replace (2 ^ S k)%nat with (2 ^ k + 2 ^ k)%nat by (simpl; lia).
  rewrite sumn_split. f_equal; apply sumn_ext; intros m _; f_equal; lia.
Qed.

Lemma node_sum_mask_in (f : nat -> R) (k i l r : nat) :
  (l <= i * 2 ^ k)%nat -> ((i + 1) * 2 ^ k <= r)%nat ->
  node_sum (mask l r f) (k, i) = node_sum f (k, i).
Proof.
  intros H1 H2. unfold node_sum, node_lo; cbn [fst snd]. apply sumn_ext; intros m Hm.
  unfold mask, inb.
  replace (l <=? i * 2 ^ k + m)%nat with true by (symmetry; apply Nat.leb_le; lia).
  replace (i * 2 ^ k + m <? r)%nat with true by (symmetry; apply Nat.ltb_lt; lia). reflexivity.
Qed.

Lemma node_sum_mask_out (f : nat -> R) (k i l r : nat) :
  (r <= i * 2 ^ k \/ (i + 1) * 2 ^ k <= l)%nat -> node_sum (mask l r f) (k, i) = 0.
Proof.
  intros H. unfold node_sum, node_lo; cbn [fst snd].
  rewrite <- (sumn_0 (2 ^ k)). apply sumn_ext; intros m Hm. unfold mask, inb.
  destruct (l <=? i * 2 ^ k + m)%nat eqn:A; auto.
  destruct (i * 2 ^ k + m <? r)%nat eqn:B; auto.
  apply Nat.leb_le in A. apply Nat.ltb_lt in B. lia.
Qed.

(** tree.interval_decomposition: inside any node, the canonical nodes add up to the sum over the range. *)
Theorem query_sum (f : nat -> R) (k i l r : nat) :
  suml (node_sum f) (query k i l r) = node_sum (mask l r f) (k, i).
Proof.
  revert i; induction k; intros i; cbn [query].
  - destruct (_ && _)%bool eqn:E1; [|destruct (_ || _)%bool eqn:E2].
    + bools. simpl suml. rewrite node_sum_mask_in by auto. ring.
    + simpl suml. rewrite node_sum_mask_out; auto. bools; auto.
    + exfalso. bools; change (2 ^ 0)%nat with 1%nat in *; lia.
  - destruct (_ && _)%bool eqn:E1; [|destruct (_ || _)%bool eqn:E2].
    + bools. simpl suml. rewrite node_sum_mask_in by auto. ring.
    + simpl suml. rewrite node_sum_mask_out; auto. bools; auto.
    + rewrite suml_app, !IHk. symmetry. apply node_sum_split.
Qed.

(** tree.interval_decomposition: the canonical nodes add up to the sum over [l, r). *)
Corollary query_sum_root (f : nat -> R) (k l r : nat) :
  suml (node_sum f) (query k 0 l r) = sumn (2 ^ k) (mask l r f).
Proof.
  rewrite query_sum. unfold node_sum, node_lo; cbn [fst snd]. reflexivity.
Qed.

(** tree.query_deviation: noise within [-B, B] per node moves an interval's answer by at most max(1, 2(k-1)) B. *)
Theorem query_noise_bound (noise : node -> R) (B : R) (k l r : nat) :
  0 <= B -> (r <= 2 ^ k)%nat -> (forall u, Rabs (noise u) <= B) ->
  Rabs (suml noise (query k 0 l r)) <= INR (Nat.max 1 (2 * (k - 1))) * B.
Proof.
  intros HB Hr Hn.
  apply Rle_trans with (INR (length (query k 0 l r)) * B).
  - induction (query k 0 l r) as [|u us IH]; [simpl; rewrite Rabs_R0; lra|].
    cbn [suml length]. rewrite S_INR.
    eapply Rle_trans; [apply Rabs_triang|]. specialize (Hn u). lra.
  - apply Rmult_le_compat_r; auto. apply le_INR. now apply interval_decomposition_size.
Qed.

(** tree.sensitivity_l1: replacing a row may move it to another leaf: at most 2 (k+1) c. *)
Corollary tree_l1_sensitivity_replace (k x y : nat) (f h g : nat -> R) (c : R) :
  (x < 2 ^ k)%nat -> (y < 2 ^ k)%nat ->
  (forall i, i <> x -> f i = h i) -> Rabs (f x - h x) <= c ->
  (forall i, i <> y -> h i = g i) -> Rabs (h y - g y) <= c ->
  suml (fun u => Rabs (node_sum f u - node_sum g u)) (all_nodes k) <= 2 * INR (k + 1) * c.
Proof.
  intros Hx Hy E1 B1 E2 B2.
  pose proof (tree_l1_sensitivity k x f h c Hx E1 B1) as S1.
  pose proof (tree_l1_sensitivity k y h g c Hy E2 B2) as S2.
  apply Rle_trans with
    (suml (fun u => Rabs (node_sum f u - node_sum h u)) (all_nodes k)
     + suml (fun u => Rabs (node_sum h u - node_sum g u)) (all_nodes k)); [|lra].
  clear. induction (all_nodes k) as [|u us IH]; simpl; [lra|].
  pose proof (Rabs_triang (node_sum f u - node_sum h u) (node_sum h u - node_sum g u)) as T.
  replace (node_sum f u - node_sum h u + (node_sum h u - node_sum g u))
    with (node_sum f u - node_sum g u) in T by ring. lra.
Qed.

Lemma suml_same {A} (f g : A -> R) us : (forall u, f u = g u) -> suml f us = suml g us.
Proof. intros H. induction us as [|u us IH]; simpl; auto. now rewrite H, IH. Qed.

(** tree.sensitivity_l2: changing one leaf by at most c moves the node vector by at most c sqrt(k+1) in l2 (here
    squared); attained, since each of the k+1 nodes on the leaf's path moves by the same amount. *)
Theorem tree_l2_sensitivity (k x : nat) (f g : nat -> R) :
  (x < 2 ^ k)%nat -> (forall i, i <> x -> f i = g i) ->
  suml (fun u => (node_sum f u - node_sum g u) ^ 2) (all_nodes k) = INR (k + 1) * (f x - g x) ^ 2.
Proof.
  intros Hx Heq. rewrite <- (leaf_in_exactly_k1_nodes k x Hx). unfold count.
  induction (all_nodes k) as [|u us IH]; [simpl; ring|].
  cbn [suml filter]. rewrite IH, (node_sum_diff f g x u Heq).
  destruct (in_node x u); cbn [length]; [rewrite S_INR|]; ring.
Qed.

(** noise.grid_rounding: rounding each coordinate to within g/2 adds at most g per coordinate to the l1-distance. *)
Theorem grid_rounding_l1 (m : nat) (g : R) (x y x' y' : nat -> R) :
  (forall i, (i < m)%nat -> Rabs (x' i - x i) <= g / 2) -> (forall i, (i < m)%nat -> Rabs (y' i - y i) <= g / 2) ->
  sumn m (fun i => Rabs (x' i - y' i)) <= sumn m (fun i => Rabs (x i - y i)) + INR m * g.
Proof.
  intros Hx Hy. assert (E : INR m * g = sumn m (fun _ => g)).
  { clear. induction m; [simpl; ring|]. rewrite S_INR. cbn [sumn]. rewrite <- IHm. ring. }
  rewrite E, <- sumn_plus. apply sumn_le; intros i Hi. specialize (Hx i Hi). specialize (Hy i Hi).
  apply abs_le_iff in Hx. apply abs_le_iff in Hy. pose proof (proj1 (abs_le_iff (x i - y i) _) (Rle_refl _)).
  apply abs_le_iff. lra.
Qed.

(** tree.sensitivity_l2, replaced row: two leaves change, each by at most c: at most 2 c sqrt(k+1) (here squared). *)
Theorem tree_l2_sensitivity_replace (k x y : nat) (f h g : nat -> R) (c : R) :
  (x < 2 ^ k)%nat -> (y < 2 ^ k)%nat ->
  (forall i, i <> x -> f i = h i) -> Rabs (f x - h x) <= c ->
  (forall i, i <> y -> h i = g i) -> Rabs (h y - g y) <= c ->
  suml (fun u => (node_sum f u - node_sum g u) ^ 2) (all_nodes k) <= 4 * (INR (k + 1) * c ^ 2).
Proof.
  intros Hx Hy E1 B1 E2 B2.
  pose proof (tree_l2_sensitivity k x f h Hx E1) as S1. pose proof (tree_l2_sensitivity k y h g Hy E2) as S2.
  assert (Q : forall a, Rabs a <= c -> a ^ 2 <= c ^ 2).
  { intros a Ha. rewrite <- (Rabs_pos_eq c) in Ha by (pose proof (Rabs_pos a); lra).
    apply Rsqr_le_abs_1 in Ha. unfold Rsqr in Ha. simpl. lra. }
  pose proof (Rmult_le_compat_l _ _ _ (pos_INR (k + 1)) (Q _ B1)). pose proof (Rmult_le_compat_l _ _ _ (pos_INR (k + 1)) (Q _ B2)).
  apply Rle_trans with
    (2 * suml (fun u => (node_sum f u - node_sum h u) ^ 2) (all_nodes k)
     + 2 * suml (fun u => (node_sum h u - node_sum g u) ^ 2) (all_nodes k)); [|lra].
  clear. induction (all_nodes k) as [|u us IH]; cbn [suml]; [lra|].
  assert ((node_sum f u - node_sum g u) ^ 2
          <= 2 * (node_sum f u - node_sum h u) ^ 2 + 2 * (node_sum h u - node_sum g u) ^ 2).
  { pose proof (Rle_0_sqr (node_sum f u - node_sum h u - (node_sum h u - node_sum g u))). unfold Rsqr in *. simpl. nra. }
  lra.
Qed.
