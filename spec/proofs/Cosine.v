(** Chapter distance: inner products from squared distances, coordinate by coordinate. *)
Require Import Reals Lra Lia.
Require Import Sums.
Open Scope R_scope.

Definition dot (d : nat) (x y : nat -> R) : R := sumn d (fun i => x i * y i).
Definition nsq (d : nat) (x : nat -> R) : R := dot d x x.
Definition vsub (x y : nat -> R) : nat -> R := fun i => x i - y i.

(** distance.law_of_cosines: 2 <x, y> = |x|^2 + |y|^2 - |x - y|^2. *)
Theorem law_of_cosines (d : nat) (x y : nat -> R) :
  2 * dot d x y = nsq d x + nsq d y - nsq d (vsub x y).
Proof.
  unfold nsq, dot, vsub.
  rewrite <- sumn_plus, <- sumn_minus, <- sumn_scal.
  apply sumn_ext; intros; ring.
Qed.

(** distance.law_of_cosines, weighted and summed over the keys. [P] is any feature map into R^d; a key may be of any
    type [T]. *)
Theorem weighted_kernel_to_distance
    (T : Type) (d n : nat) (P : T -> nat -> R) (w : nat -> R) (x : nat -> T) (y : T) :
  sumn n (fun i => w i * dot d (P (x i)) (P y))
  = / 2 * (sumn n (fun i => w i * nsq d (P (x i)))
           + nsq d (P y) * sumn n w
           - sumn n (fun i => w i * nsq d (vsub (P (x i)) (P y)))).
Proof.
  rewrite <- (sumn_scal n (nsq d (P y))), <- sumn_plus, <- sumn_minus, <- sumn_scal.
  apply sumn_ext; intros i _.
  assert (E : dot d (P (x i)) (P y)
    = (nsq d (P (x i)) + nsq d (P y) - nsq d (vsub (P (x i)) (P y))) / 2)
    by (rewrite <- law_of_cosines; field).
  rewrite E. field.
Qed.

(** distance.separability: the weighted squared distance is a sum over coordinates, so that each coordinate can have its
    own one-dimensional structure. *)
Theorem distance_separable (T : Type) (d n : nat) (P : T -> nat -> R)
    (w : nat -> R) (x : nat -> T) (y : T) :
  sumn n (fun i => w i * nsq d (vsub (P (x i)) (P y)))
  = sumn d (fun c => sumn n (fun i => w i * (P (x i) c - P y c) ^ 2)).
Proof.
  unfold nsq, dot, vsub. induction n; simpl.
  - symmetry; apply sumn_0.
  - rewrite IHn, sumn_plus, sumn_scal. f_equal. f_equal.
    apply sumn_ext; intros; ring.
Qed.

(** <x, y>^2 <= |x|^2 |y|^2. *)
Theorem cauchy_schwarz (d : nat) (x y : nat -> R) :
  (dot d x y) ^ 2 <= nsq d x * nsq d y.
Proof.
  unfold nsq, dot. induction d; simpl; [lra|].
  set (a := sumn d (fun i => x i * y i)) in *.
  set (b := sumn d (fun i => x i * x i)) in *.
  set (c := sumn d (fun i => y i * y i)) in *.
  assert (Hb : 0 <= b) by (apply sumn_nonneg; intros; apply Rle_0_sqr).
  assert (Hc : 0 <= c) by (apply sumn_nonneg; intros; apply Rle_0_sqr).
  set (u := x d). set (v := y d).
  cut (2 * a * (u * v) <= b * (v * v) + c * (u * u)).
  { simpl in IHd. nra. }
  destruct (Rle_dec (2 * a * (u * v)) 0) as [Hn|Hp].
  { assert (0 <= b * (v * v)) by (apply Rmult_le_pos; auto; apply Rle_0_sqr).
    assert (0 <= c * (u * u)) by (apply Rmult_le_pos; auto; apply Rle_0_sqr). lra. }
  apply Rsqr_incr_0_var.
  2:{ assert (0 <= b * (v * v)) by (apply Rmult_le_pos; auto; apply Rle_0_sqr).
      assert (0 <= c * (u * u)) by (apply Rmult_le_pos; auto; apply Rle_0_sqr). lra. }
  unfold Rsqr.
  assert (H1 : a * a * ((u * v) * (u * v)) <= b * c * ((u * v) * (u * v))).
  { apply Rmult_le_compat_r; [apply Rle_0_sqr|]. simpl in IHd; lra. }
  assert (H2 : 0 <= (b * (v * v) - c * (u * u)) * (b * (v * v) - c * (u * u))) by apply Rle_0_sqr.
  nra.
Qed.

(** distance.tree_redundancy: for squared distance three sums over all rows are enough, whatever y is; no tree is needed. *)
Theorem squared_distance_from_three_sums (n : nat) (w x : nat -> R) (y : R) :
  sumn n (fun i => w i * (x i - y) ^ 2)
  = sumn n (fun i => w i * x i ^ 2) - 2 * y * sumn n (fun i => w i * x i) + y ^ 2 * sumn n w.
Proof.
  rewrite <- !sumn_scal, <- sumn_minus, <- sumn_plus. apply sumn_ext; intros; ring.
Qed.

(** distance.prefix_sum_answer_p1: the weighted absolute distance from the sums of w and w x left and right of y. *)
Theorem absolute_distance_from_prefix_sums (n : nat) (w x : nat -> R) (y : R) :
  let left := fun i => if Rle_dec (x i) y then 1 else 0 : R in
  sumn n (fun i => w i * Rabs (x i - y))
  = y * sumn n (fun i => left i * w i) - sumn n (fun i => left i * (w i * x i))
    + (sumn n (fun i => (1 - left i) * (w i * x i)) - y * sumn n (fun i => (1 - left i) * w i)).
Proof.
  intros left. rewrite <- !sumn_scal, <- !sumn_minus, <- sumn_plus. apply sumn_ext; intros i _. unfold left.
  destruct (Rle_dec (x i) y); [rewrite Rabs_minus_sym|]; rewrite Rabs_pos_eq by lra; ring.
Qed.

(** distance.alpha_band: with non-negative weights, a representative r i within a factor 1 + alpha above the true
    distance t i gives the weighted sum of distances up to the same factor. *)
Theorem alpha_band (n : nat) (w t r : nat -> R) (alpha : R) :
  (forall i, (i < n)%nat -> 0 <= w i) ->
  (forall i, (i < n)%nat -> t i <= r i <= (1 + alpha) * t i) ->
  sumn n (fun i => w i * t i) <= sumn n (fun i => w i * r i) <= (1 + alpha) * sumn n (fun i => w i * t i).
Proof.
  intros Hw Ht. rewrite <- sumn_scal. split; apply sumn_le; intros i Hi; specialize (Hw i Hi);
    destruct (Ht i Hi).
  - apply Rmult_le_compat_l; auto.
  - replace ((1 + alpha) * (w i * t i)) with (w i * ((1 + alpha) * t i)) by ring. apply Rmult_le_compat_l; auto.
Qed.
