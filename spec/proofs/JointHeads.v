(** Chapter attention: several Gaussian releases of the same rows. Head h is rescaled by 1 / sigma_h, so that all noise
    is standard normal; then squared sensitivities add. *)
Require Import Reals Lra Lia Psatz.
Require Import Sums.
Open Scope R_scope.

Section Heads.
Variables (heads : nat) (size moved : nat -> R).
(** What one row moves head h by, squared. *)
Hypothesis within : forall h, (h < heads)%nat -> moved h <= size h * size h.

(** attention.joint_heads: after rescaling, one row moves all heads together by at most mu,
    mu^2 = sum_h (Delta_h / sigma_h)^2. *)
Theorem joint_sensitivity (sigma : nat -> R) : (forall h, (h < heads)%nat -> 0 < sigma h) ->
  sumn heads (fun h => moved h / (sigma h * sigma h)) <= sumn heads (fun h => (size h / sigma h) ^ 2).
Proof.
  intros P. apply sumn_le; intros h Hh. specialize (P h Hh). specialize (within h Hh).
  replace ((size h / sigma h) ^ 2) with (size h * size h / (sigma h * sigma h)) by (field; lra).
  unfold Rdiv. apply Rmult_le_compat_r; auto. left. apply Rinv_0_lt_compat. nra.
Qed.

(** attention.joint_heads: with shares w_h of sum at most 1 and sigma_h = s Delta_h / sqrt(w_h), that is at most 1 / s^2:
    the Gaussian mechanism of sensitivity 1 and deviation s, whose claim all heads together keep. *)
Theorem joint_sensitivity_shares (share : nat -> R) (s : R) : 0 < s ->
  (forall h, (h < heads)%nat -> 0 < size h) -> (forall h, (h < heads)%nat -> 0 < share h) -> sumn heads share <= 1 ->
  sumn heads (fun h => moved h / (s * size h / sqrt (share h) * (s * size h / sqrt (share h)))) <= / (s * s).
Proof.
  intros Hs Hsize Hshare Hsum.
  assert (I : 0 < / (s * s)) by (apply Rinv_0_lt_compat; nra).
  apply Rle_trans with (sumn heads (fun h => / (s * s) * share h)).
  - apply sumn_le; intros h Hh. specialize (Hsize h Hh). specialize (Hshare h Hh). specialize (within h Hh).
    assert (Q : 0 < sqrt (share h)) by (apply sqrt_lt_R0; auto).
    assert (E : sqrt (share h) * sqrt (share h) = share h) by (apply sqrt_sqrt; lra).
    replace (moved h / (s * size h / sqrt (share h) * (s * size h / sqrt (share h))))
      with (moved h * (/ (size h * size h) * (/ (s * s) * (sqrt (share h) * sqrt (share h))))) by (field; lra).
    rewrite E. apply Rle_trans with (size h * size h * (/ (size h * size h) * (/ (s * s) * share h))).
    + apply Rmult_le_compat_r; auto. apply Rmult_le_pos; [left; apply Rinv_0_lt_compat; nra|].
      apply Rmult_le_pos; lra.
    + right. field. split; nra.
  - rewrite sumn_scal. rewrite <- (Rmult_1_r (/ (s * s))) at 2. apply Rmult_le_compat_l; lra.
Qed.
End Heads.

(** attention.joint_heads, attained: two heads of sensitivities 3 and 4, each with half the budget. *)
Example joint_heads_attained :
  let size := fun h => match h with O => 3 | _ => 4 end in
  sumn 2 (fun h => size h * size h / (1 * size h / sqrt (1 / 2) * (1 * size h / sqrt (1 / 2)))) = / (1 * 1).
Proof.
  simpl. assert (Q : sqrt (1 / 2) * sqrt (1 / 2) = 1 / 2) by (apply sqrt_sqrt; lra).
  assert (0 < sqrt (1 / 2)) by (apply sqrt_lt_R0; lra).
  replace (3 * 3 / (1 * 3 / sqrt (1 / 2) * (1 * 3 / sqrt (1 / 2)))) with (sqrt (1 / 2) * sqrt (1 / 2)) by (field; lra).
  replace (4 * 4 / (1 * 4 / sqrt (1 / 2) * (1 * 4 / sqrt (1 / 2)))) with (sqrt (1 / 2) * sqrt (1 / 2)) by (field; lra).
  rewrite Q. field.
Qed.
