(** Chapter tree: binary tree over the 2^k leaves {0, .., 2^k - 1}.
    Node (j, i) is the block [i*2^j, (i+1)*2^j). *)
Require Import Arith Lia List Bool.
Import ListNotations.

Definition node := (nat * nat)%type.
Definition node_lo (u : node) := snd u * 2 ^ fst u.
Definition node_hi (u : node) := (snd u + 1) * 2 ^ fst u.
Definition in_node (x : nat) (u : node) : bool := (node_lo u <=? x) && (x <? node_hi u).
Definition count (x : nat) (us : list node) : nat := length (filter (in_node x) us).

(** All nodes of the tree of height k. *)
Definition level_nodes (k j : nat) : list node := map (fun i => (j, i)) (seq 0 (2 ^ (k - j))).
Definition all_nodes (k : nat) : list node := flat_map (level_nodes k) (seq 0 (k + 1)).

(** Canonical decomposition of [l, r) inside node (k, i). *)
Fixpoint query (k i l r : nat) : list node :=
  let lo := i * 2 ^ k in let hi := (i + 1) * 2 ^ k in
  if (l <=? lo) && (hi <=? r) then [(k, i)]
  else if (r <=? lo) || (hi <=? l) then []
  else match k with
       | O => []
       | S k' => query k' (2 * i) l r ++ query k' (2 * i + 1) l r
       end.

Lemma pow2_pos k : 1 <= 2 ^ k.
Proof. induction k; simpl; lia. Qed.

Lemma count_app x us vs : count x (us ++ vs) = count x us + count x vs.
Proof. unfold count. now rewrite filter_app, app_length. Qed.

(** ** A leaf lies in exactly k+1 nodes. *)
Lemma in_node_iff x j i : in_node x (j, i) = true <-> i = x / 2 ^ j.
Proof.
  unfold in_node, node_lo, node_hi; simpl.
  pose proof (pow2_pos j) as P. set (w := 2 ^ j) in *. clearbody w.
  rewrite andb_true_iff, Nat.leb_le, Nat.ltb_lt. split.
  - intros [H1 H2]. apply Nat.div_unique with (x - i * w); nia.
  - intros ->. pose proof (Nat.div_mod x w ltac:(lia)).
    pose proof (Nat.mod_upper_bound x w ltac:(lia)). nia.
Qed.

Lemma count_seq x j m b : 
  length (filter (in_node x) (map (fun i => (j, i)) (seq b m)))
  = if (b <=? x / 2 ^ j) && (x / 2 ^ j <? b + m) then 1 else 0.
Proof.
  revert b; induction m; intros b; cbn [seq map filter length].
  - destruct (b <=? x / 2 ^ j) eqn:A, (x / 2 ^ j <? b + 0) eqn:B; simpl; auto.
    apply Nat.leb_le in A; apply Nat.ltb_lt in B; lia.
  - destruct (in_node x (j, b)) eqn:E; cbn [length]; rewrite IHm; clear IHm.
    + apply in_node_iff in E. rewrite <- E.
      destruct (S b <=? b) eqn:A; [apply Nat.leb_le in A; lia|]. cbn [andb].
      rewrite Nat.leb_refl. destruct (b <? b + S m) eqn:B; auto.
      apply Nat.ltb_ge in B; lia.
    + assert (N : b <> x / 2 ^ j).
      { intros H. apply in_node_iff in H. congruence. }
      set (q := x / 2 ^ j) in *.
      destruct (S b <=? q) eqn:A, (q <? S b + m) eqn:B, (b <=? q) eqn:C, (q <? b + S m) eqn:D;
      cbn [andb]; auto;
      repeat match goal with
      | H : (_ <=? _) = true |- _ => apply Nat.leb_le in H
      | H : (_ <=? _) = false |- _ => apply Nat.leb_gt in H
      | H : (_ <? _) = true |- _ => apply Nat.ltb_lt in H
      | H : (_ <? _) = false |- _ => apply Nat.ltb_ge in H
      end; lia.
Qed.

Lemma leaf_level k j x : j <= k -> x < 2 ^ k -> count x (level_nodes k j) = 1.
Proof.
  intros Hj Hx. unfold count, level_nodes. rewrite count_seq.
  replace (0 <=? x / 2 ^ j) with true by (symmetry; apply Nat.leb_le; lia).
  replace (x / 2 ^ j <? 0 + 2 ^ (k - j)) with true; auto.
  symmetry; apply Nat.ltb_lt. cbn [Nat.add].
  apply Nat.div_lt_upper_bound; [pose proof (pow2_pos j); lia|].
  rewrite <- Nat.pow_add_r. now replace (j + (k - j)) with k by lia.
Qed.

(** tree.leaf_membership: a leaf lies in exactly k + 1 nodes, one per level. *)
Theorem leaf_in_exactly_k1_nodes (k x : nat) :
  x < 2 ^ k -> count x (all_nodes k) = k + 1.
Proof.
  intros Hx. unfold all_nodes.
  assert (G : forall m b, b + m <= k + 1 -> count x (flat_map (level_nodes k) (seq b m)) = m).
  { induction m; intros b Hb; simpl; auto.
    rewrite count_app, leaf_level, IHm; lia. }
  apply G; lia.
Qed.

(** ** The decomposition is exact: each leaf is covered once if in range, else never. *)
Ltac bools := repeat match goal with
  | H : (_ && _) = true |- _ => apply andb_true_iff in H; destruct H
  | H : (_ && _) = false |- _ => apply andb_false_iff in H
  | H : (_ || _) = true |- _ => apply orb_true_iff in H
  | H : (_ || _) = false |- _ => apply orb_false_iff in H; destruct H
  | H : (_ <=? _) = true |- _ => apply Nat.leb_le in H
  | H : (_ <=? _) = false |- _ => apply Nat.leb_gt in H
  | H : (_ <? _) = true |- _ => apply Nat.ltb_lt in H
  | H : (_ <? _) = false |- _ => apply Nat.ltb_ge in H
  | H : _ \/ _ |- _ => destruct H
  end.

Definition b2n (b : bool) := if b then 1 else 0.
Definition inb (x l r : nat) : bool := (l <=? x) && (x <? r).

(** tree.interval_decomposition: the canonical nodes cover each leaf of [l, r) once and no other leaf. *)
Theorem query_exact (k i l r x : nat) :
  count x (query k i l r) = b2n (inb x l r && in_node x (k, i)).
Proof.
  revert i; induction k; intros i; cbn [query].
  - destruct (_ && _) eqn:E1; [|destruct (_ || _) eqn:E2].
    + unfold count; simpl filter. destruct (in_node x (0, i)) eqn:E; simpl.
      * unfold inb, in_node, node_lo, node_hi in *; cbn [fst snd] in *. bools.
        replace (l <=? x) with true by (symmetry; apply Nat.leb_le; lia).
        replace (x <? r) with true by (symmetry; apply Nat.ltb_lt; lia). auto.
      * rewrite andb_false_r; auto.
    + unfold count; simpl. unfold inb, in_node, node_lo, node_hi; cbn [fst snd].
      destruct (l <=? x) eqn:A, (x <? r) eqn:B, (i * 2 ^ 0 <=? x) eqn:C, (x <? (i + 1) * 2 ^ 0) eqn:D; simpl; auto; bools; lia.
    + unfold count; simpl. unfold inb, in_node, node_lo, node_hi; cbn [fst snd].
      destruct (l <=? x) eqn:A, (x <? r) eqn:B, (i * 2 ^ 0 <=? x) eqn:C, (x <? (i + 1) * 2 ^ 0) eqn:D; simpl; auto; bools; simpl in *; lia.
  - destruct (_ && _) eqn:E1; [|destruct (_ || _) eqn:E2].
    + unfold count; simpl filter. destruct (in_node x (S k, i)) eqn:E; simpl.
      * unfold inb, in_node, node_lo, node_hi in *; cbn [fst snd] in *. bools.
        replace (l <=? x) with true by (symmetry; apply Nat.leb_le; lia).
        replace (x <? r) with true by (symmetry; apply Nat.ltb_lt; lia). auto.
      * rewrite andb_false_r; auto.
    + unfold count; cbn [filter length]. unfold inb, in_node, node_lo, node_hi; cbn [fst snd].
      destruct (l <=? x) eqn:A, (x <? r) eqn:B, (i * 2 ^ S k <=? x) eqn:C, (x <? (i + 1) * 2 ^ S k) eqn:D; simpl; auto; bools; lia.
    + rewrite count_app, !IHk. clear.
      unfold in_node, node_lo, node_hi; cbn [fst snd].
      replace (i * 2 ^ S k) with (2 * (i * 2 ^ k)) by (simpl; lia).
      replace ((i + 1) * 2 ^ S k) with (2 * (i * 2 ^ k) + 2 * 2 ^ k) by (simpl; lia).
      replace (2 * i * 2 ^ k) with (2 * (i * 2 ^ k)) by lia.
      replace ((2 * i + 1) * 2 ^ k) with (2 * (i * 2 ^ k) + 2 ^ k) by lia.
      replace ((2 * i + 1 + 1) * 2 ^ k) with (2 * (i * 2 ^ k) + 2 * 2 ^ k) by lia.
      set (s := i * 2 ^ k). set (w := 2 ^ k). clearbody s w.
      destruct (inb x l r); cbn [andb]; auto.
      destruct (2 * s <=? x) eqn:A, (x <? 2 * s + w) eqn:B, (2 * s + w <=? x) eqn:C, (x <? 2 * s + 2 * w) eqn:D;
        cbn; auto; bools; lia.
Qed.

(** ** Size bounds. *)
Lemma query_full k i l r :
  l <= i * 2 ^ k -> (i + 1) * 2 ^ k <= r -> query k i l r = [(k, i)].
Proof.
  intros H1 H2. apply Nat.leb_le in H1, H2. destruct k; cbn [query]; now rewrite H1, H2.
Qed.

Lemma query_out k i l r :
  r <= i * 2 ^ k \/ (i + 1) * 2 ^ k <= l -> query k i l r = [].
Proof.
  intros H. pose proof (pow2_pos k) as P.
  assert (A : (l <=? i * 2 ^ k) && ((i + 1) * 2 ^ k <=? r) = false).
  { destruct (_ && _) eqn:E; auto. bools; nia. }
  assert (B : (r <=? i * 2 ^ k) || ((i + 1) * 2 ^ k <=? l) = true).
  { apply orb_true_iff. rewrite !Nat.leb_le. auto. }
  destruct k; cbn [query]; now rewrite A, B.
Qed.

Lemma query_split k i l r :
  ~ (l <= i * 2 ^ S k /\ (i + 1) * 2 ^ S k <= r) ->
  query (S k) i l r = [] \/
  query (S k) i l r = query k (2 * i) l r ++ query k (2 * i + 1) l r.
Proof.
  intros NF. cbn [query]. destruct (_ && _) eqn:E; [bools; tauto|].
  destruct (_ || _); auto.
Qed.

(* The interval reaches the left end or the right end of the node, and does not cover it. *)
Lemma query_onesided k i l r :
  (l <= i * 2 ^ k \/ (i + 1) * 2 ^ k <= r) ->
  ~ (l <= i * 2 ^ k /\ (i + 1) * 2 ^ k <= r) ->
  length (query k i l r) <= k.
Proof.
  revert i. induction k; intros i H NF.
  - rewrite query_out; [simpl; lia|]. change (2 ^ 0) with 1 in *. lia.
  - destruct (query_split k i l r NF) as [E|E]; rewrite E; [simpl; lia|].
    rewrite app_length; clear E.
    pose proof (pow2_pos k) as P.
    pose proof (IHk (2 * i)) as IL. pose proof (IHk (2 * i + 1)) as IR. clear IHk.
    pose proof (query_full k (2 * i) l r) as FL. pose proof (query_full k (2 * i + 1) l r) as FR.
    pose proof (query_out k (2 * i) l r) as OL. pose proof (query_out k (2 * i + 1) l r) as OR.
    replace (2 * i * 2 ^ k) with (2 * (i * 2 ^ k)) in * by lia.
    replace ((2 * i + 1) * 2 ^ k) with (2 * (i * 2 ^ k) + 2 ^ k) in * by lia.
    replace ((2 * i + 1 + 1) * 2 ^ k) with (2 * (i * 2 ^ k) + 2 * 2 ^ k) in * by lia.
    replace (i * 2 ^ S k) with (2 * (i * 2 ^ k)) in * by (simpl; lia).
    replace ((i + 1) * 2 ^ S k) with (2 * (i * 2 ^ k) + 2 * 2 ^ k) in * by (simpl; lia).
    set (s := i * 2 ^ k) in *. set (w := 2 ^ k) in *. clearbody s w.
    destruct H as [H|H].
    + destruct (le_lt_dec (2 * s + w) r) as [C|C].
      * rewrite FL by lia. cbn [length app]. specialize (IR ltac:(lia) ltac:(lia)). lia.
      * rewrite OR by lia. cbn [length app]. specialize (IL ltac:(lia) ltac:(lia)). lia.
    + destruct (le_lt_dec l (2 * s + w)) as [C|C].
      * rewrite FR by lia. cbn [length app]. specialize (IL ltac:(lia) ltac:(lia)). lia.
      * rewrite OL by lia. cbn [length app]. specialize (IR ltac:(lia) ltac:(lia)). lia.
Qed.

(* Neither end reached. *)
Lemma query_twosided k i l r :
  i * 2 ^ k < l -> r < (i + 1) * 2 ^ k ->
  length (query k i l r) <= 2 * (k - 1).
Proof.
  revert i. induction k; intros i HL HR.
  - rewrite query_out; [simpl; lia|]. change (2 ^ 0) with 1 in *. lia.
  - destruct (query_split k i l r ltac:(lia)) as [E|E]; rewrite E; [simpl; lia|].
    rewrite app_length; clear E.
    pose proof (pow2_pos k) as P.
    pose proof (IHk (2 * i)) as IL. pose proof (IHk (2 * i + 1)) as IR. clear IHk.
    pose proof (query_out k (2 * i) l r) as OL. pose proof (query_out k (2 * i + 1) l r) as OR.
    pose proof (query_onesided k (2 * i) l r) as SL.
    pose proof (query_onesided k (2 * i + 1) l r) as SR.
    replace (2 * i * 2 ^ k) with (2 * (i * 2 ^ k)) in * by lia.
    replace ((2 * i + 1) * 2 ^ k) with (2 * (i * 2 ^ k) + 2 ^ k) in * by lia.
    replace ((2 * i + 1 + 1) * 2 ^ k) with (2 * (i * 2 ^ k) + 2 * 2 ^ k) in * by lia.
    replace (i * 2 ^ S k) with (2 * (i * 2 ^ k)) in * by (simpl; lia).
    replace ((i + 1) * 2 ^ S k) with (2 * (i * 2 ^ k) + 2 * 2 ^ k) in * by (simpl; lia).
    set (s := i * 2 ^ k) in *. set (w := 2 ^ k) in *. clearbody s w.
    destruct (le_lt_dec (2 * s + w) l) as [C|C]; [|destruct (le_lt_dec r (2 * s + w)) as [C'|C']].
    + rewrite OL by lia. cbn [length app].
      destruct (Nat.eq_dec l (2 * s + w)).
      * specialize (SR ltac:(lia) ltac:(lia)). lia.
      * specialize (IR ltac:(lia) ltac:(lia)). lia.
    + rewrite OR by lia. cbn [length app].
      destruct (Nat.eq_dec r (2 * s + w)).
      * specialize (SL ltac:(lia) ltac:(lia)). lia.
      * specialize (IL ltac:(lia) ltac:(lia)). lia.
    + specialize (SL ltac:(lia) ltac:(lia)). specialize (SR ltac:(lia) ltac:(lia)). lia.
Qed.

(** tree.interval_decomposition: an interval needs at most max(1, 2(k-1)) nodes. *)
Theorem interval_decomposition_size (k l r : nat) :
  r <= 2 ^ k -> length (query k 0 l r) <= Nat.max 1 (2 * (k - 1)).
Proof.
  intros Hr.
  pose proof (query_onesided k 0 l r) as O1. pose proof (query_twosided k 0 l r) as T2.
  pose proof (query_full k 0 l r) as F. pose proof (query_out k 0 l r) as E.
  replace (0 * 2 ^ k) with 0 in * by lia. replace ((0 + 1) * 2 ^ k) with (2 ^ k) in * by lia.
  pose proof (pow2_pos k).
  assert (K : k = 0 \/ k = 1 \/ 2 <= k) by lia.
  destruct (le_lt_dec l 0) as [L|L], (le_lt_dec (2 ^ k) r) as [R|R].
  - rewrite F by lia. cbn [length]; lia.
  - specialize (O1 ltac:(lia) ltac:(lia)). lia.
  - specialize (O1 ltac:(lia) ltac:(lia)). lia.
  - specialize (T2 ltac:(lia) ltac:(lia)). lia.
Qed.

(** tree.prefix_decomposition: a prefix needs at most max(1, k) nodes. *)
Theorem prefix_decomposition_size (k r : nat) :
  r <= 2 ^ k -> length (query k 0 0 r) <= Nat.max 1 k.
Proof.
  intros Hr.
  pose proof (query_onesided k 0 0 r) as O1. pose proof (query_full k 0 0 r) as F.
  replace (0 * 2 ^ k) with 0 in * by lia. replace ((0 + 1) * 2 ^ k) with (2 ^ k) in * by lia.
  pose proof (pow2_pos k).
  destruct (le_lt_dec (2 ^ k) r) as [R|R].
  - rewrite F by lia. cbn [length]; lia.
  - specialize (O1 ltac:(lia) ltac:(lia)). lia.
Qed.
