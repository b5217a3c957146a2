(** Chapter noise: what rounding to the grid does to distances. Lengths in units of the grid, rounding to the nearest
    integer, floor(x + 1/2). *)
Require Import Reals Lra Lia ZArith Psatz.
Require Import Sums Cosine.
Open Scope R_scope.

Definition round (x : R) : Z := Int_part (x + / 2).

Lemma round_near x : IZR (round x) - / 2 <= x < IZR (round x) + / 2.
Proof. unfold round. destruct (base_Int_part (x + / 2)). lra. Qed.

(** noise.grid_rounding, one number: |round x - round y| < |x - y| + 1, so it is at most |x - y| rounded up. *)
Theorem round_scalar (x y : R) (n : Z) : Rabs (x - y) <= IZR n -> (Z.abs (round x - round y) <= n)%Z.
Proof.
  intros H. apply abs_le_iff in H. pose proof (round_near x). pose proof (round_near y).
  assert (IZR (round x - round y) < IZR n + 1) by (rewrite minus_IZR; lra).
  assert (- IZR n - 1 < IZR (round x - round y)) by (rewrite minus_IZR; lra).
  rewrite <- plus_IZR in H2. rewrite <- opp_IZR, <- minus_IZR in H3. apply lt_IZR in H2. apply lt_IZR in H3. lia.
Qed.

Fixpoint sumZ (m : nat) (f : nat -> Z) : Z := match m with O => 0%Z | S k => (sumZ k f + f k)%Z end.

(** noise.grid_rounding, l1: at most the l1-distance rounded up, plus m - 1, over m > 0 coordinates. *)
Theorem round_l1 (m : nat) (x y : nat -> R) (n : Z) : (0 < m)%nat -> sumn m (fun i => Rabs (x i - y i)) <= IZR n ->
  (sumZ m (fun i => Z.abs (round (x i) - round (y i))) <= n + Z.of_nat m - 1)%Z.
Proof.
  intros Hm H.
  assert (G : forall k, (0 < k)%nat ->
    IZR (sumZ k (fun i => Z.abs (round (x i) - round (y i)))) < sumn k (fun i => Rabs (x i - y i)) + IZR (Z.of_nat k)).
  { intros k Hk. assert (E : forall i, IZR (Z.abs (round (x i) - round (y i))) < Rabs (x i - y i) + 1).
    { intros i. rewrite abs_IZR, minus_IZR. pose proof (round_near (x i)). pose proof (round_near (y i)).
      unfold Rabs. destruct (Rcase_abs (IZR (round (x i)) - IZR (round (y i)))), (Rcase_abs (x i - y i)); lra. }
    induction k as [|k IH]; [lia|]. cbn [sumZ sumn]. rewrite plus_IZR, Nat2Z.inj_succ, succ_IZR. specialize (E k).
    destruct k as [|k]; [simpl in *; lra|]. specialize (IH ltac:(lia)). lra. }
  specialize (G m Hm). apply Z.lt_succ_r. apply lt_IZR. rewrite succ_IZR, minus_IZR, plus_IZR. lra.
Qed.

(** noise.grid_rounding, l2: at most s + sqrt(m) for an l2-distance of at most s. *)
Theorem round_l2 (m : nat) (x y : nat -> R) (s : R) : 0 <= s -> nsq m (vsub x y) <= s ^ 2 ->
  nsq m (fun i => IZR (round (x i)) - IZR (round (y i))) <= (s + sqrt (INR m)) ^ 2.
Proof.
  intros Hs H.
  set (e := fun i => (IZR (round (x i)) - x i) - (IZR (round (y i)) - y i)).
  assert (E : nsq m (fun i => IZR (round (x i)) - IZR (round (y i)))
              = nsq m (vsub x y) + 2 * dot m (vsub x y) e + nsq m e).
  { unfold nsq, dot. rewrite <- sumn_scal, <- !sumn_plus. apply sumn_ext; intros i _. unfold vsub, e. ring. }
  assert (He : nsq m e <= INR m).
  { replace (INR m) with (sumn m (fun _ => 1)).
    - apply sumn_le; intros i _. unfold e. pose proof (round_near (x i)). pose proof (round_near (y i)).
      set (u := IZR (round (x i)) - x i - (IZR (round (y i)) - y i)).
      assert (-1 <= u <= 1) by (unfold u; lra). nra.
    - clear. induction m; [reflexivity|]. rewrite S_INR. cbn [sumn]. now rewrite IHm. }
  assert (N0 : 0 <= nsq m (vsub x y)) by (apply sumn_nonneg; intros; apply Rle_0_sqr).
  assert (N1 : 0 <= nsq m e) by (apply sumn_nonneg; intros; apply Rle_0_sqr).
  pose proof (pos_INR m) as Pm. pose proof (sqrt_pos (INR m)) as Q0. pose proof (sqrt_sqrt _ Pm) as Q1.
  set (q := sqrt (INR m)) in *.
  assert (D : dot m (vsub x y) e <= s * q).
  { apply Rsqr_incr_0_var; [|apply Rmult_le_pos; auto]. unfold Rsqr.
    pose proof (cauchy_schwarz m (vsub x y) e) as C.
    assert (nsq m (vsub x y) * nsq m e <= s ^ 2 * INR m) by (apply Rmult_le_compat; auto). nra. }
  rewrite E. nra.
Qed.
