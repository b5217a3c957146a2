(** Chapter privacy: the hockey-stick divergence of finite distributions, and a union bound. *)
Require Import Reals Lra Lia Psatz List.
Require Import Sums DP FiniteDP.
Open Scope R_scope.

(** sum_x max(0, P(x) - e^eps Q(x)). *)
Definition hockey_stick (n : nat) (p q : nat -> R) (eps : R) : R := sumn n (fun i => Rmax 0 (p i - exp eps * q i)).

(** privacy.hockey_stick: P is (eps, delta)-close to Q for every test exactly if the sum is at most delta. *)
Theorem hockey_stick_iff_dp (n : nat) (p q : nat -> R) (eps delta : R) :
  dp any eps delta (fin n p) (fin n q) <-> hockey_stick n p q eps <= delta.
Proof.
  split; unfold hockey_stick.
  - intros H. specialize (H (fun i => if Rle_dec (p i) (exp eps * q i) then 0 else 1)).
    assert (T : test (fun i => if Rle_dec (p i) (exp eps * q i) then 0 else 1)) by (intros i; destruct (Rle_dec _ _); lra).
    specialize (H T I). unfold fin in H. rewrite <- sumn_scal in H.
    match type of H with ?a <= ?b + delta => assert (K : a - b <= delta) by lra end.
    rewrite <- sumn_minus in K. eapply Rle_trans; [|exact K]. right. apply sumn_ext; intros i _.
    destruct (Rle_dec (p i) (exp eps * q i)); [rewrite Rmax_left by lra | rewrite Rmax_right by lra]; ring.
  - intros H f Hf _. unfold fin.
    cut (sumn n (fun i => p i * f i) - exp eps * sumn n (fun i => q i * f i) <= delta); [lra|].
    eapply Rle_trans; [|exact H]. rewrite <- sumn_scal, <- sumn_minus. apply sumn_le; intros i _. destruct (Hf i).
    pose proof (Rmax_l 0 (p i - exp eps * q i)). pose proof (Rmax_r 0 (p i - exp eps * q i)). nra.
Qed.

(** privacy.hockey_stick: the best test is an event, "P(x) > e^eps Q(x)", and attains the sum. *)
Theorem hockey_stick_attained (n : nat) (p q : nat -> R) (eps : R) :
  let event := fun i => if Rle_dec (p i) (exp eps * q i) then 0 else 1 in
  fin n p event = exp eps * fin n q event + hockey_stick n p q eps.
Proof.
  intros event. unfold fin, hockey_stick. rewrite <- sumn_scal, <- sumn_plus. apply sumn_ext; intros i _. unfold event.
  destruct (Rle_dec (p i) (exp eps * q i)); [rewrite Rmax_left by lra | rewrite Rmax_right by lra]; ring.
Qed.

(** adaptive.simultaneous_accuracy: if each of N points fails with probability at most beta / N, then some point
    fails with probability at most beta. bad j i: at outcome i, point j fails. *)
Theorem union_bound (n N : nat) (p : nat -> R) (bad : nat -> nat -> bool) (beta : R) :
  (0 < N)%nat -> (forall i, (i < n)%nat -> 0 <= p i) ->
  (forall j, (j < N)%nat -> sumn n (fun i => if bad j i then p i else 0) <= beta / INR N) ->
  sumn n (fun i => if existsb (fun j => bad j i) (seq 0 N) then p i else 0) <= beta.
Proof.
  intros HN Hp H. assert (PN : 0 < INR N) by (apply lt_0_INR; lia).
  apply Rle_trans with (sumn N (fun _ => beta / INR N)).
  2:{ right. assert (E : forall c m, sumn m (fun _ => c) = INR m * c).
      { intros c m. induction m; [simpl; ring|]. rewrite S_INR. cbn [sumn]. rewrite IHm. ring. }
      rewrite E. field. lra. }
  apply Rle_trans with (sumn N (fun j => sumn n (fun i => if bad j i then p i else 0))).
  2:{ apply sumn_le; auto. }
  clear H HN PN. induction N as [|N IH].
  - simpl. rewrite sumn_0. lra.
  - rewrite seq_S. cbn [sumn]. apply Rle_trans with
      (sumn n (fun i => if existsb (fun j => bad j i) (seq 0 N) then p i else 0)
       + sumn n (fun i => if bad N i then p i else 0)); [|lra].
    rewrite <- sumn_plus. apply sumn_le; intros i Hi. rewrite existsb_app. simpl. specialize (Hp i Hi).
    destruct (existsb (fun j => bad j i) (seq 0 N)), (bad N i); simpl; lra.
Qed.
