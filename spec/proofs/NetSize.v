(** Chapter adaptive: how many points cover the box [0, R]^d in l2. *)
Require Import Reals Lra Lia Psatz List.
Require Import Sums Cosine.
Open Scope R_scope.

Definition in_box (d : nat) (R : R) (x : nat -> Rdefinitions.R) : Prop := forall i, (i < d)%nat -> 0 <= x i <= R.

(** Midpoint of cell i of N equal cells of [0, R]. *)
Definition cell (R : R) (N i : nat) : Rdefinitions.R := (2 * INR i + 1) * (R / (2 * INR N)).
Definition extend (p : nat -> R) (d : nat) (y : R) : nat -> R := fun i => if Nat.eq_dec i d then y else p i.

(** All points whose d coordinates are midpoints. *)
Fixpoint grid (R : R) (N d : nat) : list (nat -> Rdefinitions.R) :=
  match d with
  | O => cons (fun _ => 0) nil
  | S d' => flat_map (fun p => map (fun i => extend p d' (cell R N i)) (seq 0 N)) (grid R N d')
  end.

Lemma grid_length R N d : length (grid R N d) = (N ^ d)%nat.
Proof.
  induction d; auto. cbn [grid Nat.pow]. rewrite <- IHd. clear IHd.
  induction (grid R N d) as [|p ps IH]; cbn [flat_map]; [simpl; lia|].
  rewrite app_length, map_length, seq_length, IH. cbn [length]. lia.
Qed.

Lemma cell_near (R : R) (N k : nat) (x : Rdefinitions.R) : (0 < N)%nat -> 0 <= R -> (0 < k <= N)%nat ->
  0 <= x <= INR k * (R / INR N) ->
  exists i, (i < k)%nat /\ Rabs (x - cell R N i) <= R / (2 * INR N) /\ 0 <= cell R N i <= R.
Proof.
  intros HN HR. assert (PN : 0 < INR N) by (apply lt_0_INR; lia).
  assert (Ew : R / INR N = 2 * (R / (2 * INR N))) by (field; lra). rewrite Ew.
  assert (ER : R = INR N * (2 * (R / (2 * INR N)))) by (field; lra).
  assert (Hh : 0 <= R / (2 * INR N)) by (apply Rmult_le_pos; auto; left; apply Rinv_0_lt_compat; lra).
  unfold cell. set (h := R / (2 * INR N)) in *. clearbody h. subst R.
  induction k as [|k IH]; intros Hk Hx; [lia|].
  destruct (Rle_dec x (INR k * (2 * h))) as [L|L].
  - destruct k as [|k].
    + exists 0%nat. assert (1 <= INR N) by (apply (le_INR 1); lia). simpl in *. split; [lia|]. split.
      * apply Rabs_le. lra.
      * nra.
    + destruct IH as [i [Hi H]]; [lia | lra|]. exists i. split; auto.
  - exists k. split; [lia|]. rewrite S_INR in Hx.
    assert (INR k + 1 <= INR N) by (rewrite <- S_INR; apply le_INR; lia). pose proof (pos_INR k).
    split; [apply Rabs_le; lra|]. nra.
Qed.

Lemma grid_near (R : R) (N d : nat) (x : nat -> Rdefinitions.R) : (0 < N)%nat -> 0 <= R -> in_box d R x ->
  exists y, In y (grid R N d) /\ forall i, (i < d)%nat -> Rabs (x i - y i) <= R / (2 * INR N).
Proof.
  intros HN HR. induction d as [|d IH]; intros Hx.
  - exists (fun _ => 0). split; [left; auto|]. intros; lia.
  - destruct IH as [y [Hy Hn]]. { intros i Hi. apply Hx. lia. }
    destruct (cell_near R N N (x d) HN HR ltac:(lia)) as [i [Hi [Hc _]]].
    { pose proof (Hx d ltac:(lia)). replace (INR N * (R / INR N)) with R; auto. field.
      apply not_0_INR. lia. }
    exists (extend y d (cell R N i)). split.
    + cbn [grid]. apply in_flat_map. exists y. split; auto. apply in_map_iff. exists i. split; auto.
      apply in_seq. lia.
    + intros k Hk. unfold extend. destruct (Nat.eq_dec k d) as [->|]; auto. apply Hn. lia.
Qed.

(** Every point of the grid lies in the box. *)
Lemma grid_in_box (R : R) (N d : nat) (y : nat -> Rdefinitions.R) : (0 < N)%nat -> 0 <= R ->
  In y (grid R N d) -> in_box d R y.
Proof.
  intros HN HR. revert y. assert (PN : 0 < INR N) by (apply lt_0_INR; lia).
  induction d as [|d IH]; intros y Hy i Hi; [lia|].
  cbn [grid] in Hy. apply in_flat_map in Hy. destruct Hy as [p [Hp Hy]].
  apply in_map_iff in Hy. destruct Hy as [k [<- Hk]]. apply in_seq in Hk. unfold extend.
  destruct (Nat.eq_dec i d) as [->|]; [|apply (IH p Hp); lia].
  unfold cell. assert (INR k + 1 <= INR N) by (rewrite <- S_INR; apply le_INR; lia). pose proof (pos_INR k).
  assert (ER : R = INR N * (2 * (R / (2 * INR N)))) by (field; lra).
  assert (Hh : 0 <= R / (2 * INR N)) by (apply Rmult_le_pos; auto; left; apply Rinv_0_lt_compat; lra).
  set (h := R / (2 * INR N)) in *. clearbody h. subst R. nra.
Qed.

(** adaptive.net_size: if N >= R sqrt(d) / (2 e0), then N^d points of the box [0, R]^d come within e0 (in l2) of
    every point of it. *)
Theorem net_cardinality (d N : nat) (R e0 : R) :
  (0 < N)%nat -> 0 <= R -> R * sqrt (INR d) <= 2 * e0 * INR N ->
  exists net, length net = (N ^ d)%nat /\
    (forall y, In y net -> in_box d R y) /\
    (forall x, in_box d R x -> exists y, In y net /\ sqrt (nsq d (vsub x y)) <= e0).
Proof.
  intros HN HR He. assert (PN : 0 < INR N) by (apply lt_0_INR; lia).
  exists (grid R N d). split; [apply grid_length|]. split.
  { intros y Hy. now apply (grid_in_box R N d y). }
  intros x Hx. destruct (grid_near R N d x HN HR Hx) as [y [Hy Hn]]. exists y. split; auto.
  set (h := R / (2 * INR N)) in *.
  assert (Hh : 0 <= h) by (apply Rmult_le_pos; auto; left; apply Rinv_0_lt_compat; lra).
  apply Rle_trans with (sqrt (INR d * (h * h))).
  - apply sqrt_le_1_alt. unfold nsq, dot, vsub.
    assert (E : INR d * (h * h) = sumn d (fun _ => h * h)).
    { clear. induction d; [simpl; ring|]. rewrite S_INR. cbn [sumn]. rewrite <- IHd. ring. }
    rewrite E. apply sumn_le; intros i Hi. specialize (Hn i Hi).
    change (Rsqr (x i - y i) <= Rsqr h). apply Rsqr_le_abs_1. now rewrite (Rabs_pos_eq h).
  - rewrite sqrt_mult by (try apply pos_INR; nra). rewrite sqrt_square by auto.
    apply Rmult_le_reg_r with (2 * INR N); [lra|].
    replace (sqrt (INR d) * h * (2 * INR N)) with (R * sqrt (INR d)) by (unfold h; field; lra). lra.
Qed.
