(** Chapter audits: why stopping an audit whenever the evidence suffices is honest. Outputs are finitely many:
    p and p' are the laws of the mechanism on two neighbouring datasets. *)
Require Import Reals Lra Lia List Psatz.
Require Import Sums DP FiniteDP.
Open Scope R_scope.

(** What a stake lam on the test f turns one unit of wealth into, when the pair (x, y) is seen. *)
Definition factor (eps delta lam : R) (f : nat -> R) (x y : nat) : R :=
  1 + lam * (f x - exp eps * f y - delta).

(** A stake of at most 1/(e^eps + delta) can never lose more than the whole wealth. *)
Theorem wealth_factor_nonneg (eps delta lam : R) (f : nat -> R) (x y : nat) :
  0 <= delta -> test f -> 0 <= lam <= / (exp eps + delta) -> 0 <= factor eps delta lam f x y.
Proof.
  intros Hd Hf Hl. unfold factor. destruct (Hf x), (Hf y). pose proof (exp_pos eps).
  assert (lam * (exp eps + delta) <= 1).
  { rewrite <- (Rinv_l (exp eps + delta)) by lra. apply Rmult_le_compat_r; lra. }
  assert (lam * (exp eps * f y) <= lam * exp eps).
  { rewrite <- (Rmult_1_r (exp eps)) at 2. apply Rmult_le_compat_l; [lra|]. apply Rmult_le_compat_l; lra. }
  assert (0 <= lam * f x) by (apply Rmult_le_pos; lra). nra.
Qed.

Section Pairs.
Variables (n : nat) (p p' : nat -> R).
(** Mean over one pair of independent outputs. *)
Definition mean2 (g : nat -> nat -> R) : R := sumn n (fun x => p x * sumn n (fun y => p' y * g x y)).

(** Under the claim, no bet is favourable: the wealth does not grow on average. *)
Theorem wealth_factor_fair (eps delta lam : R) (f : nat -> R) :
  pmf n p -> pmf n p' -> dp any eps delta (fin n p) (fin n p') -> test f -> 0 <= lam ->
  mean2 (factor eps delta lam f) <= 1.
Proof.
  intros [_ P1] [_ P1'] D Hf Hl. specialize (D f Hf I). unfold fin in D.
  set (A := sumn n (fun i => p i * f i)) in *. set (B := sumn n (fun i => p' i * f i)) in *.
  assert (E : mean2 (factor eps delta lam f) = 1 + lam * (A - exp eps * B - delta)).
  { unfold mean2.
    rewrite (sumn_ext n _ (fun x => (1 - lam * delta - lam * (exp eps * B)) * p x + lam * (p x * f x))).
    - rewrite sumn_plus, !sumn_scal, P1. fold A. ring.
    - intros x _. unfold factor.
      rewrite (sumn_ext n _ (fun y => (1 + lam * f x - lam * delta) * p' y + (- (lam * exp eps)) * (p' y * f y)))
        by (intros; ring).
      rewrite sumn_plus, !sumn_scal, P1'. fold B. ring. }
  rewrite E. assert (lam * (A - exp eps * B - delta) <= lam * 0) by (apply Rmult_le_compat_l; lra). lra.
Qed.

(** The auditor's strategy: from the pairs seen so far, a stake and a test. *)
Definition strategy := list (nat * nat) -> R * (nat -> R).
Definition admissible (eps delta : R) (s : strategy) : Prop :=
  forall h, 0 <= fst (s h) <= / (exp eps + delta) /\ test (snd (s h)).

(** Probability that the wealth, now w after the pairs h, reaches 1/alpha within the next t pairs. *)
Fixpoint reaches (eps delta alpha : R) (s : strategy) (t : nat) (w : R) (h : list (nat * nat)) : R :=
  if Rle_dec (/ alpha) w then 1
  else match t with
       | O => 0
       | S t' => mean2 (fun x y => reaches eps delta alpha s t'
                                     (w * factor eps delta (fst (s h)) (snd (s h)) x y) ((x, y) :: h))
       end.

(** Anytime validity (Ville): if the claim is true, the chance that the wealth ever reaches 1/alpha is at most
    alpha, for every strategy that looks only at the past, and however long one goes on. *)
Theorem ville (eps delta alpha : R) (s : strategy) (t : nat) :
  0 <= delta -> 0 < alpha -> pmf n p -> pmf n p' -> dp any eps delta (fin n p) (fin n p') ->
  admissible eps delta s ->
  reaches eps delta alpha s t 1 nil <= alpha.
Proof.
  intros Hd Ha Pp Pp' D Hs.
  assert (G : forall t w h, 0 <= w -> reaches eps delta alpha s t w h <= alpha * w).
  2:{ specialize (G t 1 nil ltac:(lra)). lra. }
  clear t. induction t as [|t IH]; intros w h Hw; cbn [reaches]; destruct (Rle_dec (/ alpha) w) as [R1|R1].
  - rewrite <- (Rinv_r alpha) by lra. apply Rmult_le_compat_l; lra.
  - apply Rmult_le_pos; lra.
  - rewrite <- (Rinv_r alpha) by lra. apply Rmult_le_compat_l; lra.
  - destruct (Hs h) as [Hlam Hf]. set (lam := fst (s h)) in *. set (f := snd (s h)) in *.
    apply Rle_trans with (mean2 (fun x y => alpha * (w * factor eps delta lam f x y))).
    + destruct Pp as [A _]. destruct Pp' as [A' _]. unfold mean2.
      apply sumn_le; intros x Hx. apply Rmult_le_compat_l; auto.
      apply sumn_le; intros y Hy. apply Rmult_le_compat_l; auto. apply IH.
      apply Rmult_le_pos; auto. now apply wealth_factor_nonneg.
    + assert (E : mean2 (fun x y => alpha * (w * factor eps delta lam f x y))
                  = alpha * w * mean2 (factor eps delta lam f)).
      { unfold mean2. rewrite <- sumn_scal. apply sumn_ext; intros x _.
        replace (alpha * w * (p x * sumn n (fun y => p' y * factor eps delta lam f x y)))
          with (p x * (alpha * w * sumn n (fun y => p' y * factor eps delta lam f x y))) by ring.
        f_equal. rewrite <- sumn_scal. apply sumn_ext; intros; ring. }
      rewrite E. rewrite <- (Rmult_1_r (alpha * w)) at 2. apply Rmult_le_compat_l; [apply Rmult_le_pos; lra|].
      apply wealth_factor_fair; auto. lra.
Qed.
End Pairs.
