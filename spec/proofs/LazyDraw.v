(** Chapter attention: drawing a Gaussian process query by query. Row t of L holds the noise of query t as a combination
    of independent standard normals, so the covariance of the noise is L L^T. *)
Require Import Reals Lra Lia Psatz.
Require Import Sums Cosine FunctionalSensitivity.
Open Scope R_scope.

Section Rows.
Variables (n : nat) (K L : nat -> nat -> R) (jitter : R).
Hypothesis K_sym : forall i j, K i j = K j i.
(** What each new row solves: L l = k, s^2 = kappa + jitter - |l|^2, zeros beyond. *)
Hypothesis lower : forall i u, (i < u)%nat -> L i u = 0.
Hypothesis solves : forall t i, (t < n)%nat -> (i < t)%nat -> sumn t (fun u => L i u * L t u) = K i t.
Hypothesis pivot : forall t, (t < n)%nat -> L t t * L t t = K t t + jitter - sumn t (fun u => L t u * L t u).

Lemma sumn_beyond m p f : (m <= p)%nat -> (forall u, (m <= u)%nat -> f u = 0) -> sumn p f = sumn m f.
Proof.
  intros H Z. induction p as [|p IH]; [replace m with O by lia; auto|].
  destruct (Nat.eq_dec m (S p)) as [->|E]; auto. simpl. rewrite IH, Z by lia. ring.
Qed.

Lemma covariance_below i t : (i < t)%nat -> (t < n)%nat -> sumn n (fun u => L i u * L t u) = K i t.
Proof.
  intros Hi Ht. rewrite (sumn_beyond t n); [apply solves; auto|lia|].
  intros u Hu. rewrite (lower i u) by lia. ring.
Qed.

(** attention.lazy_jitter (and, with no jitter, attention.lazy_covariance for independent rows): conditioning on the past
    by Cholesky rows gives the covariance K + jitter I of all noise drawn at once. *)
Theorem next_row_covariance i t : (i < n)%nat -> (t < n)%nat ->
  sumn n (fun u => L i u * L t u) = K i t + (if Nat.eq_dec i t then jitter else 0).
Proof.
  intros Hi Ht. destruct (Nat.eq_dec i t) as [<-|E].
  - rewrite (sumn_beyond (S i) n); [|lia|intros u Hu; rewrite lower by lia; ring].
    simpl. rewrite (pivot i Hi). ring.
  - rewrite Rplus_0_r. destruct (Nat.lt_ge_cases i t); [apply covariance_below; auto|].
    rewrite K_sym, <- (covariance_below t i) by lia. apply sumn_ext; intros; ring.
Qed.
End Rows.

Lemma sumn_abs_squared n x : sumn n (fun i => Rabs (x i)) ^ 2 <= INR n * nsq n x.
Proof.
  pose proof (cauchy_schwarz n (fun i => Rabs (x i)) (fun _ => 1)) as C.
  assert (E1 : dot n (fun i => Rabs (x i)) (fun _ => 1) = sumn n (fun i => Rabs (x i))).
  { apply sumn_ext; intros; ring. }
  assert (E2 : nsq n (fun i => Rabs (x i)) = nsq n x).
  { apply sumn_ext; intros i _. rewrite <- Rabs_mult. apply Rabs_pos_eq. apply Rle_0_sqr. }
  assert (E3 : nsq n (fun _ => 1) = INR n).
  { unfold nsq, dot. clear. induction n; [reflexivity|]. rewrite S_INR. simpl. rewrite IHn. ring. }
  rewrite E1, E2, E3 in C. lra.
Qed.

(** attention.lazy_jitter: if L L^T is K + jitter I up to entries of size e, and n e <= jitter, then L L^T - K is
    positive semi-definite: the noise drawn is the kernel's noise plus further independent noise. *)
Theorem jitter_covers (n : nat) (K C E : nat -> nat -> R) (jitter e : R) (x : nat -> R) :
  (forall i j, (i < n)%nat -> (j < n)%nat -> C i j = K i j + (if Nat.eq_dec i j then jitter else 0) + E i j) ->
  (forall i j, (i < n)%nat -> (j < n)%nat -> Rabs (E i j) <= e) -> 0 <= e -> INR n * e <= jitter ->
  sumn n (fun i => sumn n (fun j => x i * x j * K i j)) <= sumn n (fun i => sumn n (fun j => x i * x j * C i j)).
Proof.
  intros HC HE He Hj.
  assert (D : forall m i, sumn m (fun j => x i * x j * (if Nat.eq_dec i j then jitter else 0))
                          = if lt_dec i m then jitter * (x i * x i) else 0).
  { intros m i. induction m as [|m IH]; [reflexivity|]. cbn [sumn]. rewrite IH.
    destruct (Nat.eq_dec i m) as [E0|N]; destruct (lt_dec i (S m)); destruct (lt_dec i m); try lia; try ring.
    subst m. ring. }
  assert (S : sumn n (fun i => sumn n (fun j => x i * x j * C i j))
    = sumn n (fun i => sumn n (fun j => x i * x j * K i j)) + jitter * nsq n x
      + sumn n (fun i => sumn n (fun j => x i * x j * E i j))).
  { unfold nsq, dot. rewrite <- sumn_scal, <- !sumn_plus. apply sumn_ext; intros i Hi.
    rewrite (sumn_ext n _ (fun j => x i * x j * K i j + x i * x j * (if Nat.eq_dec i j then jitter else 0)
                                    + x i * x j * E i j)) by (intros j Hjn; rewrite HC by auto; ring).
    rewrite !sumn_plus, D. destruct (lt_dec i n); [ring|lia]. }
  assert (B : - (e * sumn n (fun i => Rabs (x i)) ^ 2) <= sumn n (fun i => sumn n (fun j => x i * x j * E i j))).
  { replace (e * sumn n (fun i => Rabs (x i)) ^ 2)
      with (sumn n (fun i => sumn n (fun j => Rabs (x i) * Rabs (x j) * e))).
    2:{ simpl. rewrite Rmult_1_r, <- Rmult_assoc, <- (sumn_scal n e), <- sumn_scal_r. apply sumn_ext; intros i _.
        rewrite <- sumn_scal. apply sumn_ext; intros; ring. }
    rewrite <- (Rmult_1_l (sumn n _)), <- Ropp_mult_distr_l_reverse, <- sumn_scal.
    apply sumn_le; intros i Hi. rewrite <- sumn_scal. apply sumn_le; intros j Hjn. specialize (HE i j Hi Hjn).
    pose proof (Rabs_pos (x i)). pose proof (Rabs_pos (x j)).
    assert (Rabs (x i * x j * E i j) <= Rabs (x i) * Rabs (x j) * e).
    { rewrite !Rabs_mult. apply Rmult_le_compat_l; auto. apply Rmult_le_pos; auto. }
    pose proof (abs_le_iff (x i * x j * E i j) (Rabs (x i) * Rabs (x j) * e)). lra. }
  pose proof (sumn_abs_squared n x). pose proof (nsq_nonneg n x).
  assert (e * sumn n (fun i => Rabs (x i)) ^ 2 <= jitter * nsq n x).
  { apply Rle_trans with (e * (INR n * nsq n x)); [apply Rmult_le_compat_l; auto|]. nra. }
  lra.
Qed.

(** attention.lazy_jitter, an instance: the query asked twice, kernel 1 and jitter 3, so that L = [[2, 0], [1/2, sqrt(15)/2]]. *)
Example same_query_twice :
  let L := fun i u => match i, u with O, O => 2 | 1%nat, O => 1 / 2 | 1%nat, 1%nat => sqrt 15 / 2 | _, _ => 0 end in
  sumn 2 (fun u => L 0%nat u * L 1%nat u) = 1 /\ sumn 2 (fun u => L 1%nat u * L 1%nat u) = 1 + 3.
Proof.
  simpl. assert (sqrt 15 * sqrt 15 = 15) by (apply sqrt_sqrt; lra). split; [field|].
  replace (sqrt 15 / 2 * (sqrt 15 / 2)) with (sqrt 15 * sqrt 15 / 4) by field. rewrite H. field.
Qed.
