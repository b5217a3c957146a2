(** Chapter kernel: features from landmarks, phi(x) = A k(Z, x), never move a release further than the exact kernel
    does, and miss the kernel by at most a residual norm. *)
Require Import Reals Lra Lia Psatz List.
Require Import Sums Cosine FunctionalSensitivity.
Import ListNotations.
Open Scope R_scope.

(** A binary quadratic form that is nowhere negative has a non-negative determinant. *)
Lemma discriminant (X Y Z : R) : (forall a b, 0 <= a * a * X + 2 * (a * b) * Y + b * b * Z) -> Y * Y <= X * Z.
Proof.
  intros H. pose proof (H 1 0) as HX. pose proof (H 0 1) as HZ. pose proof (H Z (- Y)) as H1.
  pose proof (H Y (- (X + 1))) as H2.
  destruct (Req_dec Z 0) as [E|E].
  - subst Z. nra.
  - assert (0 < Z) by lra. apply Rmult_le_reg_l with Z; [lra|]. nra.
Qed.

Section Features.
Variables (T : Type) (k : T -> T -> R).
Hypothesis k_sym : forall x y, k x y = k y x.

(** Finite combinations sum_i c_i k_{x_i} of the kernel's Hilbert space, as lists of (c_i, x_i); their value at a
    point, and their inner product. *)
Fixpoint value (f : list (R * T)) (x : T) : R :=
  match f with [] => 0 | (c, z) :: f' => c * k z x + value f' x end.
Fixpoint inner (f g : list (R * T)) : R :=
  match f with [] => 0 | (c, z) :: f' => c * value g z + inner f' g end.
Definition times (t : R) (f : list (R * T)) : list (R * T) := map (fun p => (t * fst p, snd p)) f.

(** The kernel is positive semi-definite. *)
Hypothesis k_psd : forall f, 0 <= inner f f.

Lemma value_app f g x : value (f ++ g) x = value f x + value g x.
Proof. induction f as [|[c z] f IH]; simpl; [ring|rewrite IH; ring]. Qed.
Lemma value_times t f x : value (times t f) x = t * value f x.
Proof. induction f as [|[c z] f IH]; simpl; [ring|unfold times in *; rewrite IH; ring]. Qed.
Lemma inner_app_l f g h : inner (f ++ g) h = inner f h + inner g h.
Proof. induction f as [|[c z] f IH]; simpl; [ring|rewrite IH; ring]. Qed.
Lemma inner_app_r f g h : inner f (g ++ h) = inner f g + inner f h.
Proof. induction f as [|[c z] f IH]; simpl; [ring|rewrite IH, value_app; ring]. Qed.
Lemma inner_times_l t f g : inner (times t f) g = t * inner f g.
Proof. induction f as [|[c z] f IH]; simpl; [ring|unfold times in *; rewrite IH; ring]. Qed.
Lemma inner_times_r t f g : inner f (times t g) = t * inner f g.
Proof. induction f as [|[c z] f IH]; simpl; [ring|rewrite IH, value_times; ring]. Qed.
Lemma inner_one f x : inner f [(1, x)] = value f x.
Proof. induction f as [|[c z] f IH]; simpl; [ring|rewrite IH; simpl; rewrite (k_sym x z); ring]. Qed.
Lemma inner_cons_r f c z g : inner f ((c, z) :: g) = c * value f z + inner f g.
Proof.
  induction f as [|[d y] f IH]; simpl; [ring|]. rewrite IH, (k_sym z y). ring.
Qed.
Lemma inner_sym f g : inner f g = inner g f.
Proof. induction f as [|[c z] f IH]; simpl; [|rewrite inner_cons_r, IH; ring]. induction g as [|[c z] g IH]; simpl; lra. Qed.

Variables (r m : nat) (A : nat -> nat -> R) (z : nat -> T).

(** phi(x) = A k(Z, x), and its extension to combinations. *)
Definition phi (x : T) (a : nat) : R := sumn m (fun j => A a j * k (z j) x).
Definition features (g : list (R * T)) (a : nat) : R := sumn m (fun j => A a j * value g (z j)).
(** A^T y, and sum_j (A^T y)_j k_{z_j}. *)
Definition weights (y : nat -> R) (j : nat) : R := sumn r (fun a => y a * A a j).
Definition adjoint (n : nat) (y : nat -> R) : list (R * T) := map (fun j => (weights y j, z j)) (seq 0 n).

Lemma seq_last n s : seq s (S n) = seq s n ++ [(s + n)%nat].
Proof.
  revert s. induction n as [|n IH]; intros s; [simpl; now rewrite Nat.add_0_r|].
  change (seq s (S (S n))) with (s :: seq (S s) (S n)). rewrite IH. simpl. repeat f_equal. lia.
Qed.

Lemma adjoint_inner n y g : inner (adjoint n y) g = sumn n (fun j => weights y j * value g (z j)).
Proof.
  induction n as [|n IH]; [reflexivity|]. unfold adjoint. rewrite seq_last, map_app, inner_app_l.
  fold (adjoint n y). rewrite IH. simpl. ring.
Qed.

Lemma adjoint_value n y x : value (adjoint n y) x = sumn n (fun j => weights y j * k (z j) x).
Proof.
  induction n as [|n IH]; [reflexivity|]. unfold adjoint. rewrite seq_last, map_app, value_app.
  fold (adjoint n y). rewrite IH. simpl. ring.
Qed.

Lemma sumn_swap p q (f : nat -> nat -> R) : sumn p (fun i => sumn q (fun j => f i j)) = sumn q (fun j => sumn p (fun i => f i j)).
Proof. induction p as [|p IH]; simpl; [symmetry; apply sumn_0|]. rewrite IH, <- sumn_plus. reflexivity. Qed.

Lemma adjoint_features y g : inner (adjoint m y) g = dot r y (features g).
Proof.
  rewrite adjoint_inner. unfold weights, dot, features.
  rewrite (sumn_ext m _ (fun j => sumn r (fun a => y a * A a j * value g (z j)))).
  2:{ intros j _. symmetry. apply sumn_scal_r. }
  rewrite <- sumn_swap. apply sumn_ext; intros a _. rewrite <- sumn_scal. apply sumn_ext; intros; ring.
Qed.

Lemma cauchy f g : inner f g * inner f g <= inner f f * inner g g.
Proof.
  apply discriminant. intros a b. pose proof (k_psd (times a f ++ times b g)) as H.
  rewrite inner_app_l, !inner_app_r, !inner_times_l, !inner_times_r, (inner_sym g f) in H. lra.
Qed.

Section Contraction.
Variable eta : R.
Hypothesis eta_above : -1 <= eta.
(** |A K_ZZ A^T|_2 <= 1 + eta. *)
Hypothesis bounded : forall y : nat -> R,
  sumn m (fun i => sumn m (fun j => weights y i * weights y j * k (z i) (z j))) <= (1 + eta) * nsq r y.

(** kernel.nystrom_contraction: the map f -> A f(Z) has squared operator norm at most 1 + eta. *)
Theorem contraction (g : list (R * T)) : nsq r (features g) <= (1 + eta) * inner g g.
Proof.
  set (y := features g). pose proof (cauchy (adjoint m y) g) as C. rewrite adjoint_features in C. fold y in C.
  change (dot r y y) with (nsq r y) in C.
  assert (N : inner (adjoint m y) (adjoint m y) <= (1 + eta) * nsq r y).
  { eapply Rle_trans; [|apply (bounded y)]. right. rewrite adjoint_inner. apply sumn_ext; intros i _.
    rewrite adjoint_value, <- sumn_scal. apply sumn_ext; intros j _. rewrite (k_sym (z j) (z i)). ring. }
  pose proof (nsq_nonneg r y). pose proof (k_psd g).
  destruct (Req_dec (nsq r y) 0) as [E|E]; [rewrite E; apply Rmult_le_pos; lra|].
  apply Rmult_le_reg_l with (nsq r y); [lra|].
  eapply Rle_trans; [exact C|]. apply Rle_trans with ((1 + eta) * nsq r y * inner g g); [|right; ring].
  apply Rmult_le_compat_r; lra.
Qed.

Lemma features_pair a x b y i : features [(a, x); (b, y)] i = a * phi x i + b * phi y i.
Proof.
  unfold features, phi. rewrite <- !sumn_scal, <- sumn_plus. apply sumn_ext; intros j _. simpl.
  rewrite (k_sym x (z j)), (k_sym y (z j)). ring.
Qed.

(** kernel.nystrom_contraction: |phi(x) (x) w - phi(x') (x) w'|^2 <= (1 + eta) |k_x (x) w - k_x' (x) w'|^2, so the
    exact kernel's sensitivity serves (attention.functional_sensitivity with k in place of <phi, phi'>). *)
Theorem contraction_sensitivity (d : nat) (x x' : T) (w w' : nat -> R) :
  frob2 r d (fun a j => phi x a * w j - phi x' a * w' j)
  <= (1 + eta) * (k x x * nsq d w + k x' x' * nsq d w' - 2 * (k x x' * dot d w w')).
Proof.
  unfold frob2. rewrite sumn_swap.
  apply Rle_trans with (sumn d (fun j => (1 + eta) * inner [(w j, x); (- w' j, x')] [(w j, x); (- w' j, x')])).
  - apply sumn_le; intros j _. eapply Rle_trans; [|apply contraction]. right. unfold nsq, dot.
    apply sumn_ext; intros a _. rewrite features_pair. ring.
  - right. rewrite sumn_scal. f_equal. unfold nsq, dot. rewrite <- !sumn_scal, <- sumn_plus, <- sumn_minus.
    apply sumn_ext; intros j _. simpl. rewrite (k_sym x' x). ring.
Qed.
End Contraction.

(** kernel.nystrom_residual: with beta = A^T p, (k(q, x) - <p, phi(x)>)^2 is at most
    (k(q, q) - 2 <beta, k(Z, q)> + beta^T K_ZZ beta) k(x, x), for any A and p. *)
Theorem residual_error (p : nat -> R) (q x : T) :
  (k q x - dot r p (phi x)) ^ 2
  <= (k q q - 2 * sumn m (fun j => weights p j * k (z j) q)
      + sumn m (fun i => sumn m (fun j => weights p i * weights p j * k (z i) (z j)))) * k x x.
Proof.
  pose proof (cauchy ([(1, q)] ++ times (-1) (adjoint m p)) [(1, x)]) as C.
  assert (V : forall y, value (adjoint m p) y = sumn m (fun j => weights p j * k (z j) y)) by (intros; apply adjoint_value).
  assert (E : dot r p (phi x) = value (adjoint m p) x).
  { rewrite <- inner_one, adjoint_features. unfold dot. apply sumn_ext; intros a _. f_equal. unfold phi, features.
    apply sumn_ext; intros j _. simpl. rewrite (k_sym x (z j)). ring. }
  assert (Q : inner (adjoint m p) (adjoint m p)
              = sumn m (fun i => sumn m (fun j => weights p i * weights p j * k (z i) (z j)))).
  { rewrite adjoint_inner. apply sumn_ext; intros i _. rewrite adjoint_value, <- sumn_scal.
    apply sumn_ext; intros j _. rewrite (k_sym (z j) (z i)). ring. }
  rewrite <- Q, E, <- V.
  rewrite inner_app_l, inner_times_l, !inner_app_l, !inner_app_r, !inner_times_l, !inner_times_r, !inner_one in C.
  rewrite (inner_sym [(1, q)] (adjoint m p)), inner_one in C. simpl in C.
  eapply Rle_trans; [|eapply Rle_trans; [exact C|]]; right; ring.
Qed.

(** kernel.nystrom_residual: where |A K_ZZ A^T| <= 1, the kernel error is at most the geometric mean of what the norms
    of the features miss; no projection is needed. *)
Theorem residual_error_contraction (q x : T) :
  (forall y, sumn m (fun i => sumn m (fun j => weights y i * weights y j * k (z i) (z j))) <= 1 * nsq r y) ->
  (k q x - dot r (phi q) (phi x)) ^ 2 <= (k q q - nsq r (phi q)) * (k x x - nsq r (phi x)).
Proof.
  intros H. replace ((k q x - dot r (phi q) (phi x)) ^ 2)
    with ((k q x - dot r (phi q) (phi x)) * (k q x - dot r (phi q) (phi x))) by ring.
  apply discriminant. intros a b.
  assert (H0 : forall y, sumn m (fun i => sumn m (fun j => weights y i * weights y j * k (z i) (z j)))
                         <= (1 + 0) * nsq r y) by (intros y; specialize (H y); lra).
  pose proof (contraction 0 ltac:(lra) H0 [(a, q); (b, x)]) as C.
  assert (E : nsq r (features [(a, q); (b, x)])
              = a * a * nsq r (phi q) + 2 * (a * b) * dot r (phi q) (phi x) + b * b * nsq r (phi x)).
  { unfold nsq, dot. rewrite <- !sumn_scal, <- !sumn_plus. apply sumn_ext; intros i _. rewrite features_pair. ring. }
  rewrite E in C. simpl in C. rewrite (k_sym x q) in C. lra.
Qed.
End Features.

(** kernel.nystrom_contraction, an instance: one landmark at 1 of the kernel xy on the real line, A = 1, eta = 0. The bound
    is attained: features x, rows 1 and -1 with w = 1. *)
Example contraction_attained :
  frob2 1 1 (fun a j => phi R Rmult 1 (fun _ _ => 1) (fun _ => 1) 1 a * 1
                        - phi R Rmult 1 (fun _ _ => 1) (fun _ => 1) (-1) a * 1)
  = (1 + 0) * (1 * 1 * nsq 1 (fun _ => 1) + -1 * -1 * nsq 1 (fun _ => 1)
               - 2 * (1 * -1 * dot 1 (fun _ => 1) (fun _ => 1))).
Proof. unfold frob2, phi, nsq, dot. simpl. ring. Qed.
