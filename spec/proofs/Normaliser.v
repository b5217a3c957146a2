(** Chapter attention: the normaliser of attention is at least what it would be if every key were the mean key. *)
Require Import Reals Lra Lia Psatz.
Require Import Sums Cosine FunctionalSensitivity.
Open Scope R_scope.

(** The mean of n keys, and the normaliser: the sum of their weights at a query. *)
Definition mean_key (n : nat) (K : nat -> nat -> R) (j : nat) : R := sumn n (fun i => K i j) / INR n.
Definition normaliser (n d : nat) (s : R) (K : nat -> nat -> R) (q : nat -> R) : R :=
  sumn n (fun i => exp (s * dot d q (K i))).
(** What is claimed, for a query of size B and a mean key of dual size m. *)
Definition normaliser_least (n : nat) (s B m : R) : R := INR n * exp (- (s * B * m)).

Lemma INR_pos n : (0 < n)%nat -> 0 < INR n.
Proof. intros H. apply lt_0_INR. lia. Qed.

Lemma sumn_const n c : sumn n (fun _ => c) = INR n * c.
Proof. induction n as [|n IH]; [simpl; lra|]. rewrite S_INR. cbn [sumn]. rewrite IH. lra. Qed.

(** attention.normaliser_from_mean: Jensen's inequality for the exponential and n equal parts. *)
Theorem jensen_exp (n : nat) (x : nat -> R) : (0 < n)%nat ->
  INR n * exp (sumn n x / INR n) <= sumn n (fun i => exp (x i)).
Proof.
  intros Hn. pose proof (INR_pos n Hn) as P. set (m := sumn n x / INR n).
  apply Rle_trans with (sumn n (fun i => exp m * (1 - m) + exp m * x i)).
  - rewrite sumn_plus, sumn_const, sumn_scal. replace (sumn n x) with (INR n * m) by (unfold m; field; lra). lra.
  - apply sumn_le; intros i _. replace (exp (x i)) with (exp m * exp (x i - m)) by (rewrite <- exp_plus; f_equal; lra).
    pose proof (exp_ineq1_le (x i - m)). pose proof (exp_pos m). nra.
Qed.

Lemma mean_product (n d : nat) (s : R) (K : nat -> nat -> R) (q : nat -> R) : (0 < n)%nat ->
  sumn n (fun i => s * dot d q (K i)) / INR n = s * dot d q (mean_key n K).
Proof.
  intros Hn. pose proof (INR_pos n Hn) as P. rewrite sumn_scal. unfold dot, mean_key.
  assert (E : sumn n (fun i => sumn d (fun j => q j * K i j))
    = INR n * sumn d (fun j => q j * (sumn n (fun i => K i j) / INR n))).
  { rewrite <- sumn_scal. induction d as [|d IH]; cbn [sumn].
    - apply sumn_0.
    - rewrite sumn_plus, IH, (sumn_scal n (q d) (fun i => K i d)). field. lra. }
  rewrite E. field. lra.
Qed.

Lemma normaliser_mean (n d : nat) (s : R) (K : nat -> nat -> R) (q : nat -> R) : (0 < n)%nat ->
  INR n * exp (s * dot d q (mean_key n K)) <= normaliser n d s K q.
Proof. intros Hn. rewrite <- (mean_product n d s K q Hn). apply (jensen_exp n (fun i => s * dot d q (K i)) Hn). Qed.

Lemma least_at (n : nat) (s x B m : R) : 0 <= s -> - (B * m) <= x ->
  normaliser_least n s B m <= INR n * exp (s * x).
Proof.
  intros Hs H. unfold normaliser_least. apply Rmult_le_compat_l; [apply pos_INR|].
  assert (L : - (s * B * m) <= s * x) by nra.
  destruct L as [L|L]; [left; apply exp_increasing; exact L|right; now rewrite L].
Qed.

(** attention.normaliser_from_mean, queries in a ball of radius B, mean key of Euclidean norm at most m. *)
Theorem normaliser_from_mean_ball (n d : nat) (s B m : R) (K : nat -> nat -> R) (q : nat -> R) : (0 < n)%nat ->
  0 <= s -> 0 <= B -> 0 <= m -> nsq d q <= B ^ 2 -> nsq d (mean_key n K) <= m ^ 2 ->
  normaliser_least n s B m <= normaliser n d s K q.
Proof.
  intros Hn Hs HB Hm Hq Hk. apply Rle_trans with (2 := normaliser_mean n d s K q Hn). apply least_at; auto.
  pose proof (cauchy_schwarz d q (mean_key n K)) as C.
  pose proof (nsq_nonneg d q). pose proof (nsq_nonneg d (mean_key n K)).
  assert (T : (dot d q (mean_key n K)) ^ 2 <= (B * m) ^ 2) by nra.
  assert (0 <= B * m) by nra. nra.
Qed.

(** attention.normaliser_from_mean, queries in a cube [-B, B]^d, mean key of absolute sum at most m. *)
Theorem normaliser_from_mean_box (n d : nat) (s B m : R) (K : nat -> nat -> R) (q : nat -> R) : (0 < n)%nat ->
  0 <= s -> 0 <= B -> (forall j, (j < d)%nat -> Rabs (q j) <= B) -> sumn d (fun j => Rabs (mean_key n K j)) <= m ->
  normaliser_least n s B m <= normaliser n d s K q.
Proof.
  intros Hn Hs HB Hq Hk. apply Rle_trans with (2 := normaliser_mean n d s K q Hn). apply least_at; auto.
  assert (A : Rabs (dot d q (mean_key n K)) <= B * m).
  { unfold dot. apply Rle_trans with (1 := sumn_abs d _).
    apply Rle_trans with (sumn d (fun j => B * Rabs (mean_key n K j))).
    - apply sumn_le; intros j Hj. rewrite Rabs_mult. apply Rmult_le_compat_r; [apply Rabs_pos|auto].
    - rewrite sumn_scal. apply Rmult_le_compat_l; auto. }
  apply abs_le_iff in A. lra.
Qed.

(** attention.normaliser_from_mean, attained: one dimension, every key m, the query -B. *)
Theorem normaliser_from_mean_attained (n : nat) (s B m : R) :
  normaliser n 1 s (fun _ _ => m) (fun _ => - B) = normaliser_least n s B m.
Proof. unfold normaliser, normaliser_least, dot. rewrite sumn_const. f_equal. f_equal. simpl. ring. Qed.
