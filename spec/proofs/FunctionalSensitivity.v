(** Chapter attention: how far replacing one row can move the released matrix sum_i phi(k_i) [v_i, c]^T, in the
    Frobenius norm (the l2 norm of all its entries). *)
Require Import Reals Lra Lia Psatz.
Require Import Sums Cosine.
Open Scope R_scope.

(** The row [v, c]: dv values and the public weight c of the normaliser column. *)
Definition wrow (dv : nat) (v : nat -> R) (c : R) : nat -> R := fun i => if (i <? dv)%nat then v i else c.

(** The released matrix, r features by m columns, and the square of its Frobenius norm. *)
Definition released (n : nat) (phi w : nat -> nat -> R) : nat -> nat -> R :=
  fun a j => sumn n (fun i => phi i a * w i j).
Definition frob2 (r m : nat) (M : nat -> nat -> R) : R := sumn r (fun a => sumn m (fun j => M a j * M a j)).

Lemma dot_wrow (dv : nat) (v v' : nat -> R) (c : R) :
  dot (S dv) (wrow dv v c) (wrow dv v' c) = dot dv v v' + c * c.
Proof.
  unfold dot, wrow. cbn [sumn]. rewrite Nat.ltb_irrefl. f_equal. apply sumn_ext; intros i Hi.
  apply Nat.ltb_lt in Hi. now rewrite Hi.
Qed.

Lemma frob2_outer_diff (r m : nat) (p p' w w' : nat -> R) :
  frob2 r m (fun a j => p a * w j - p' a * w' j)
  = nsq r p * nsq m w + nsq r p' * nsq m w' - 2 * (dot r p p' * dot m w w').
Proof.
  unfold frob2, nsq, dot.
  assert (E : forall x y z t : nat -> R, sumn r (fun a => sumn m (fun j => (x a * y a) * (z j * t j)))
              = sumn r (fun a => x a * y a) * sumn m (fun j => z j * t j)).
  { intros. rewrite <- sumn_scal_r. apply sumn_ext; intros. apply sumn_scal. }
  rewrite <- (E p p w w), <- (E p' p' w' w'), <- (E p p' w w'), <- sumn_scal, <- sumn_plus, <- sumn_minus.
  apply sumn_ext; intros a _. rewrite <- sumn_scal, <- sumn_plus, <- sumn_minus.
  apply sumn_ext; intros j _. ring.
Qed.

Lemma nsq_nonneg d x : 0 <= nsq d x.
Proof. apply sumn_nonneg; intros; apply Rle_0_sqr. Qed.

Section Replace.
Variables (n r dv j : nat) (phi phi' v v' : nat -> nat -> R) (b2 V2 c : R).
Hypothesis Hj : (j < n)%nat.
Hypothesis Hsame : forall i, (i < n)%nat -> i <> j -> phi i = phi' i /\ v i = v' i.
Hypothesis Hphi : nsq r (phi j) <= b2.
Hypothesis Hphi' : nsq r (phi' j) <= b2.
Hypothesis Hv : nsq dv (v j) <= V2.
Hypothesis Hv' : nsq dv (v' j) <= V2.

Let w := fun i => wrow dv (v i) c.
Let w' := fun i => wrow dv (v' i) c.
Let moved := frob2 r (S dv) (fun a k => released n phi w a k - released n phi' w' a k).
Let kappa := dot r (phi j) (phi' j).
Let rho := dot dv (v j) (v' j) + c * c.

Lemma moved_eq : moved = nsq r (phi j) * (nsq dv (v j) + c * c) + nsq r (phi' j) * (nsq dv (v' j) + c * c)
                         - 2 * (kappa * rho).
Proof.
  unfold moved, kappa, rho. unfold nsq at 2 4. rewrite <- !dot_wrow. fold (w j) (w' j).
  change (dot (S dv) (w j) (w j)) with (nsq (S dv) (w j)).
  change (dot (S dv) (w' j) (w' j)) with (nsq (S dv) (w' j)).
  rewrite <- (frob2_outer_diff r (S dv) (phi j) (phi' j) (w j) (w' j)).
  unfold frob2. apply sumn_ext; intros a _. apply sumn_ext; intros k _.
  assert (E : released n phi w a k - released n phi' w' a k = phi j a * w j k - phi' j a * w' j k).
  { unfold released. rewrite (sumn_diff1 n _ _ j Hj); auto.
    intros i Hi Hne. destruct (Hsame i Hi Hne) as [E1 E2]. unfold w, w'. now rewrite E1, E2. }
  rewrite E. reflexivity.
Qed.

(** attention.functional_sensitivity, general form: with kappa = <phi(k), phi(k')>, rho = <v, v'> + c^2 of the
    old and the new row, |u - u'|^2 <= 2 b^2 (V^2 + c^2) - 2 kappa rho. *)
Theorem functional_sensitivity_general : moved <= 2 * (b2 * (V2 + c * c)) - 2 * (kappa * rho).
Proof.
  rewrite moved_eq. pose proof (nsq_nonneg r (phi j)). pose proof (nsq_nonneg r (phi' j)).
  pose proof (nsq_nonneg dv (v j)). pose proof (nsq_nonneg dv (v' j)). pose proof (Rle_0_sqr c). unfold Rsqr in *.
  assert (nsq r (phi j) * (nsq dv (v j) + c * c) <= b2 * (V2 + c * c)) by (apply Rmult_le_compat; lra).
  assert (nsq r (phi' j) * (nsq dv (v' j) + c * c) <= b2 * (V2 + c * c)) by (apply Rmult_le_compat; lra).
  lra.
Qed.

Lemma dot_range (d : nat) (x y : nat -> R) (B : R) : nsq d x <= B -> nsq d y <= B -> - B <= dot d x y <= B.
Proof.
  intros Hx Hy. pose proof (nsq_nonneg d x). pose proof (nsq_nonneg d y).
  apply abs_le_iff. rewrite <- (Rabs_pos_eq B) by lra. apply Rsqr_le_abs_0. unfold Rsqr.
  pose proof (cauchy_schwarz d x y) as C. simpl in C.
  assert (nsq d x * nsq d y <= B * B) by (apply Rmult_le_compat; auto). lra.
Qed.

(** attention.functional_sensitivity: the sharp bound from ranges. If kappa >= kmin and rho >= rmin, and m is at most each
    product of kmin or b^2 with rmin or c^2 + V^2, then |u - u'|^2 <= 2 b^2 (V^2 + c^2) - 2 m. (For non-negative
    values rmin = c^2.) *)
Theorem functional_sensitivity_ranges (kmin rmin m : R) :
  kmin <= kappa -> rmin <= rho ->
  m <= kmin * rmin -> m <= kmin * (c * c + V2) -> m <= b2 * rmin -> m <= b2 * (c * c + V2) ->
  moved <= 2 * (b2 * (V2 + c * c)) - 2 * m.
Proof.
  intros Hk Hr M1 M2 M3 M4. eapply Rle_trans; [apply functional_sensitivity_general|].
  cut (m <= kappa * rho); [lra|].
  destruct (dot_range r (phi j) (phi' j) b2 Hphi Hphi') as [_ K]. fold kappa in K.
  destruct (dot_range dv (v j) (v' j) V2 Hv Hv') as [_ R2].
  assert (Rr : rho <= c * c + V2) by (unfold rho; lra). clearbody rho kappa.
  destruct (Rle_dec 0 kappa).
  - apply Rle_trans with (kappa * rmin); [|apply Rmult_le_compat_l; lra].
    destruct (Rle_dec 0 rmin); nra.
  - apply Rle_trans with (kappa * (c * c + V2)); [|nra].
    pose proof (nsq_nonneg dv (v j)). pose proof (Rle_0_sqr c). unfold Rsqr in *. nra.
Qed.

(** attention.functional_sensitivity: the same where nothing is known of the values but their norm, rmin = c^2 - V^2. *)
Corollary functional_sensitivity_corners (kmin m : R) :
  kmin <= kappa ->
  m <= kmin * (c * c - V2) -> m <= kmin * (c * c + V2) -> m <= b2 * (c * c - V2) -> m <= b2 * (c * c + V2) ->
  moved <= 2 * (b2 * (V2 + c * c)) - 2 * m.
Proof.
  intros Hk M1 M2 M3 M4. apply (functional_sensitivity_ranges kmin (c * c - V2)); auto.
  destruct (dot_range dv (v j) (v' j) V2 Hv Hv') as [R1 _]. unfold rho. lra.
Qed.

(** attention.functional_sensitivity: always |u - u'|^2 <= 4 b^2 (V^2 + c^2). *)
Theorem functional_sensitivity : moved <= 4 * (b2 * (V2 + c * c)).
Proof.
  assert (B0 : 0 <= b2) by (eapply Rle_trans; [apply nsq_nonneg|exact Hphi]).
  assert (V0 : 0 <= V2) by (eapply Rle_trans; [apply nsq_nonneg|exact Hv]).
  pose proof (Rle_0_sqr c) as C. unfold Rsqr in C.
  assert (0 <= b2 * V2) by (apply Rmult_le_pos; lra). assert (0 <= b2 * (c * c)) by (apply Rmult_le_pos; lra).
  pose proof (functional_sensitivity_corners (- b2) (- (b2 * (V2 + c * c)))) as F.
  destruct (dot_range r (phi j) (phi' j) b2 Hphi Hphi') as [K _]. fold kappa in K.
  assert (moved <= 2 * (b2 * (V2 + c * c)) - 2 * - (b2 * (V2 + c * c))) by (apply F; nra). lra.
Qed.

(** attention.functional_sensitivity: |u - u'|^2 <= 2 b^2 (V^2 + c^2) where kernel values and <v, v'> + c^2 are
    non-negative (as for non-negative values, or for c >= V). *)
Theorem functional_sensitivity_nonneg : 0 <= kappa -> 0 <= rho -> moved <= 2 * (b2 * (V2 + c * c)).
Proof.
  intros Hk Hr. eapply Rle_trans; [apply functional_sensitivity_general|].
  pose proof (Rmult_le_pos _ _ Hk Hr). lra.
Qed.
End Replace.

(** attention.functional_sensitivity: both constants are attained, by one row in one or two features. *)
Theorem functional_sensitivity_tight (V c : R) :
  let w := fun _ => wrow 1 (fun _ => V) c in
  let e := fun k => fun _ a => if Nat.eq_dec a k then 1 else 0 : R in
  let minus_e := fun _ a => if Nat.eq_dec a 0 then -1 else 0 : R in
  frob2 2 2 (fun a k => released 1 (e 0%nat) w a k - released 1 minus_e w a k) = 4 * (1 * (V * V + c * c)) /\
  frob2 2 2 (fun a k => released 1 (e 0%nat) w a k - released 1 (e 1%nat) w a k) = 2 * (1 * (V * V + c * c)).
Proof. split; unfold frob2, released, wrow; simpl; ring. Qed.
