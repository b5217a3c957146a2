(** Chapter kernel: the feature map of degree s. Its inner products are the truncated exponential of the inner product. *)
Require Import Reals Lra Lia Psatz List.
Require Import Sums Cosine Taylor.
Import ListNotations.
Open Scope R_scope.

(** Features of total degree exactly j of a point with d coordinates: one per multi-index a with |a| = j, of value
    prod_i x_i^(a_i) / sqrt(a_i!). The last coordinate takes degree b, the others j - b. *)
Fixpoint features_at (d : nat) (j : nat) (x : nat -> R) : list R :=
  match d with
  | O => match j with O => [1] | _ => [] end
  | S d' => flat_map (fun b => map (fun v => v * (x d' ^ b / sqrt (INR (fact b)))) (features_at d' (j - b) x)) (seq 0 (S j))
  end.
(** All features of degree at most s. *)
Fixpoint features (d s : nat) (x : nat -> R) : list R :=
  match s with O => features_at d 0 x | S s' => features d s' x ++ features_at d s x end.
Fixpoint dotl (us vs : list R) : R := match us, vs with u :: us', v :: vs' => u * v + dotl us' vs' | _, _ => 0 end.

Lemma features_at_length d j x y : length (features_at d j x) = length (features_at d j y).
Proof.
  revert j. induction d as [|d IH]; intros j; [destruct j; reflexivity|]. cbn [features_at].
  induction (seq 0 (S j)) as [|b bs IHb]; [reflexivity|]. cbn [flat_map].
  rewrite !app_length, !map_length, IHb, (IH (j - b)%nat). reflexivity.
Qed.

Lemma dotl_app a b c d : length a = length c -> dotl (a ++ b) (c ++ d) = dotl a c + dotl b d.
Proof. revert c. induction a as [|x a IH]; intros [|y c] H; try discriminate; simpl; [ring|]. rewrite IH by auto. ring. Qed.

Lemma dotl_map u v us vs : dotl (map (fun t => t * u) us) (map (fun t => t * v) vs) = u * v * dotl us vs.
Proof. revert vs. induction us as [|a us IH]; intros [|b vs]; simpl; try ring. rewrite IH. ring. Qed.

Lemma dotl_flat_map (f g : nat -> list R) (bs : list nat) : (forall b, length (f b) = length (g b)) ->
  dotl (flat_map f bs) (flat_map g bs) = fold_right Rplus 0 (map (fun b => dotl (f b) (g b)) bs).
Proof. intros H. induction bs as [|b bs IH]; [reflexivity|]. cbn [flat_map map fold_right]. now rewrite dotl_app, IH. Qed.

Lemma fold_seq (h : nat -> R) (n : nat) : fold_right Rplus 0 (map h (seq 0 (S n))) = sum_f_R0 h n.
Proof.
  assert (A : forall l a, fold_right Rplus a l = fold_right Rplus 0 l + a).
  { induction l as [|u l IH]; intros a; simpl; [ring|]. rewrite IH. ring. }
  induction n as [|n IH]; [simpl; ring|]. rewrite seq_S, map_app, fold_right_app, A, IH. simpl. ring.
Qed.

(** kernel.feature_identity, one degree: <P(q), P(k)> over the features of degree j is <q, k>^j / j!. *)
Theorem feature_identity_at (d j : nat) (x y : nat -> R) :
  dotl (features_at d j x) (features_at d j y) = dot d x y ^ j / INR (fact j).
Proof.
  revert j. induction d as [|d IH]; intros j.
  - unfold dot. destruct j; simpl; [field|]. unfold Rdiv. ring.
  - cbn [features_at]. rewrite dotl_flat_map by (intros; now rewrite !map_length, (features_at_length d (j - b) x y)).
    rewrite fold_seq. unfold dot. cbn [sumn]. fold (dot d x y). rewrite (Rplus_comm (dot d x y)), binomial.
    match goal with |- _ = ?s / ?f => replace (s / f) with (/ f * s) by (unfold Rdiv; apply Rmult_comm) end.
    rewrite scal_sum. apply sum_eq. intros b Hb.
    rewrite dotl_map, IH. unfold C.
    replace (x d ^ b / sqrt (INR (fact b)) * (y d ^ b / sqrt (INR (fact b)))) with ((x d * y d) ^ b / INR (fact b)).
    + field. repeat split; apply INR_fact_neq_0.
    + rewrite Rpow_mult_distr. pose proof (INR_fact_lt_0 b) as F. pose proof (sqrt_lt_R0 _ F).
      rewrite <- (sqrt_sqrt (INR (fact b))) at 1 by lra. field. lra.
Qed.

Lemma features_length d s x y : length (features d s x) = length (features d s y).
Proof. induction s as [|s IH]; cbn [features]; rewrite ?app_length, ?IH, (features_at_length _ _ x y); reflexivity. Qed.

(** kernel.feature_identity: <P(q), P(k)> = p_s(<q, k>) (a logit scale multiplies each point by its square root). *)
Theorem feature_identity (d s : nat) (x y : nat -> R) : dotl (features d s x) (features d s y) = texp s (dot d x y).
Proof.
  induction s as [|s IH]; cbn [features].
  - rewrite feature_identity_at. reflexivity.
  - rewrite dotl_app by apply features_length. rewrite IH, feature_identity_at. reflexivity.
Qed.

Lemma texp_mono s x y : 0 <= x <= y -> texp s x <= texp s y.
Proof.
  intros H. unfold texp. apply sum_Rle. intros n _. unfold Rdiv. apply Rmult_le_compat_r.
  - left. apply Rinv_0_lt_compat, INR_fact_lt_0.
  - apply pow_incr. exact H.
Qed.

(** kernel.feature_norm: |P(x)|^2 = p_s(|x|^2) <= p_s(R^2) for |x| <= R. *)
Theorem feature_norm (d s : nat) (x : nat -> R) (R2 : R) : nsq d x <= R2 ->
  dotl (features d s x) (features d s x) = texp s (nsq d x) /\ dotl (features d s x) (features d s x) <= texp s R2.
Proof.
  intros H. rewrite feature_identity. fold (nsq d x). split; [reflexivity|]. apply texp_mono. split; auto.
  apply sumn_nonneg; intros; apply Rle_0_sqr.
Qed.

(** ** How many features. *)
Definition count_at (d j : nat) : nat := length (features_at d j (fun _ => 0)).
Definition count (d s : nat) : nat := length (features d s (fun _ => 0)).

Lemma flat_length (f : nat -> list R) bs : length (flat_map f bs) = fold_right Nat.add 0%nat (map (fun b => length (f b)) bs).
Proof. induction bs as [|b bs IH]; [reflexivity|]. cbn [flat_map map fold_right]. now rewrite app_length, IH. Qed.

Lemma count_at_S d j : count_at (S d) j = count d j.
Proof.
  unfold count_at. cbn [features_at]. rewrite flat_length.
  rewrite (map_ext _ (fun b => count_at d (j - b))) by (intros; now rewrite map_length).
  assert (A : forall l a, fold_right Nat.add a l = (fold_right Nat.add 0 l + a)%nat).
  { induction l as [|u l IH]; intros a; simpl; [lia|]. rewrite IH. lia. }
  induction j as [|j IH].
  - simpl. unfold count, count_at. simpl. lia.
  - change (seq 0 (S (S j))) with (0%nat :: seq 1 (S j)). cbn [map fold_right].
    rewrite <- seq_shift, map_map. rewrite (map_ext _ (fun b => count_at d (j - b))) by (intros; reflexivity).
    rewrite IH, Nat.sub_0_r. unfold count. cbn [features]. rewrite app_length. unfold count_at. lia.
Qed.

(** kernel.feature_dimension: there are C(d + s, s) features of degree at most s, that is (d+s)! / (d! s!). *)
Theorem feature_dimension (d s : nat) : (count d s * (fact d * fact s) = fact (d + s))%nat.
Proof.
  revert s. induction d as [|d IHd].
  - intros s. assert (E : count 0 s = 1%nat).
    { induction s as [|s IH]; [reflexivity|]. unfold count in *. cbn [features]. rewrite app_length, IH. reflexivity. }
    rewrite E. simpl. lia.
  - induction s as [|s IHs].
    + assert (E : count (S d) 0 = 1%nat).
      { change (count (S d) 0) with (count_at (S d) 0). rewrite count_at_S. clear.
        induction d as [|d IH]; [reflexivity|]. change (count (S d) 0) with (count_at (S d) 0).
        now rewrite count_at_S. }
      rewrite E, Nat.add_0_r. change (fact 0) with 1%nat. lia.
    + assert (P : count (S d) (S s) = (count (S d) s + count d (S s))%nat).
      { unfold count at 1. cbn [features]. rewrite app_length. fold (count_at (S d) (S s)). rewrite count_at_S.
        reflexivity. }
      rewrite P. specialize (IHd (S s)).
      change (fact (S d)) with (S d * fact d)%nat in *. change (fact (S s)) with (S s * fact s)%nat in *.
      replace (S d + S s)%nat with (S (S d + s)) by lia.
      replace (d + S s)%nat with (S d + s)%nat in IHd by lia.
      change (fact (S (S d + s))) with (S (S d + s) * fact (S d + s))%nat.
      set (F := fact (S d + s)) in *. set (a := count (S d) s) in *. set (b := count d (S s)) in *.
      set (fd := fact d) in *. set (fs := fact s) in *. clearbody F a b fd fs.
      replace ((a + b) * (S d * fd * (S s * fs)))%nat
        with (S s * (a * (S d * fd * fs)) + S d * (b * (fd * (S s * fs))))%nat by ring.
      rewrite IHs, IHd. ring.
Qed.
