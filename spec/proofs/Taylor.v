(** Chapter kernel: Taylor remainder of exp, absolute and relative, for arguments of either sign. *)
Require Import Reals Lra Lia Psatz.
From Coquelicot Require Import Coquelicot.
Open Scope R_scope.

(** p_s(x), the exponential series up to degree s. *)
Definition texp (s : nat) (x : R) : R := sum_f_R0 (fun j => x ^ j / INR (fact j)) s.

Lemma Derive_n_exp_lin (c t : R) (n : nat) :
  is_derive_n (fun u => exp (c * u)) n t (c ^ n * exp (c * t)).
Proof.
  revert t. induction n; intros t; simpl; [ring|].
  apply is_derive_ext with (fun u => c ^ n * exp (c * u)).
  - intros u. symmetry. now apply is_derive_n_unique.
  - auto_derive; auto. ring.
Qed.

Lemma exp_taylor_lagrange (c h : R) (s : nat) : 0 < h ->
  exists zeta, 0 < zeta < h /\
    exp (c * h) = texp s (c * h) + (c * h) ^ S s / INR (fact (S s)) * exp (c * zeta).
Proof.
  intros Hh.
  destruct (Taylor_Lagrange (fun u => exp (c * u)) s 0 h Hh) as [z [Hz E]].
  - intros t _ k _. destruct k; simpl; auto.
    eexists. apply (Derive_n_exp_lin c t (S k)).
  - exists z. split; auto. rewrite E. f_equal.
    + unfold texp. apply sum_eq. intros j _.
      rewrite (is_derive_n_unique _ _ _ _ (Derive_n_exp_lin c 0 j)).
      rewrite Rmult_0_r, exp_0, Rminus_0_r, Rpow_mult_distr.
      field. apply INR_fact_neq_0.
    + rewrite (is_derive_n_unique _ _ _ _ (Derive_n_exp_lin c z (S s))).
      rewrite Rminus_0_r, Rpow_mult_distr. field. apply INR_fact_neq_0.
Qed.

Lemma texp_0 (s : nat) : texp s 0 = 1.
Proof.
  unfold texp. induction s; simpl; [field|]. rewrite IHs. unfold Rdiv. ring.
Qed.

(** kernel.taylor_remainder: |e^x - p_s(x)| <= |x|^(s+1) e^max(0,x) / (s+1)!. *)
Theorem exp_taylor_remainder (s : nat) (x : R) :
  Rabs (exp x - texp s x) <= Rabs x ^ S s * exp (Rmax 0 x) / INR (fact (S s)).
Proof.
  assert (G : forall c h, 0 < h -> 
     Rabs (exp (c * h) - texp s (c * h)) <= Rabs (c * h) ^ S s * exp (Rmax 0 (c * h)) / INR (fact (S s))).
  { intros c h Hh. destruct (exp_taylor_lagrange c h s Hh) as [z [Hz E]].
    rewrite E at 1.
    set (F := INR (fact (S s))). assert (0 < F) by apply INR_fact_lt_0.
    replace (texp s (c * h) + (c * h) ^ S s / F * exp (c * z) - texp s (c * h))
      with ((c * h) ^ S s * exp (c * z) / F) by (field; lra).
    unfold Rdiv. rewrite Rabs_mult, (Rabs_mult _ (exp (c * z))), <- RPow_abs.
    rewrite (Rabs_pos_eq (/ F)) by (apply Rlt_le, Rinv_0_lt_compat; auto).
    apply Rmult_le_compat_r; [apply Rlt_le, Rinv_0_lt_compat; auto|].
    apply Rmult_le_compat_l; [apply pow_le, Rabs_pos|].
    rewrite Rabs_pos_eq by (apply Rlt_le, exp_pos).
    destruct (Rle_dec 0 c).
    - assert (c * z <= Rmax 0 (c * h)) by (eapply Rle_trans; [|apply Rmax_r]; nra).
      destruct H0; [left; now apply exp_increasing | rewrite H0; lra].
    - assert (c * z <= Rmax 0 (c * h)) by (eapply Rle_trans; [|apply Rmax_l]; nra).
      destruct H0; [left; now apply exp_increasing | rewrite H0; lra]. }
  destruct (Rtotal_order x 0) as [H|[H|H]].
  - specialize (G (-1) (- x) ltac:(lra)). now replace (-1 * - x) with x in G by ring.
  - subst. rewrite exp_0, texp_0, Rminus_eq_0, !Rabs_R0. simpl pow. unfold Rdiv.
    rewrite !Rmult_0_l. lra.
  - specialize (G 1 x H). now rewrite Rmult_1_l in G.
Qed.

(** kernel.relative_error_signed, as published: for |x| <= X the relative error is at most X^(s+1) e^X / (s+1)!. *)
Theorem exp_taylor_relative (s : nat) (Rb x : R) : Rabs x <= Rb ->
  Rabs (texp s x - exp x) <= (Rb ^ S s * exp Rb / INR (fact (S s))) * exp x.
Proof.
  intros Hx. rewrite Rabs_minus_sym.
  eapply Rle_trans; [apply exp_taylor_remainder|].
  set (F := INR (fact (S s))). assert (0 < F) by apply INR_fact_lt_0.
  replace (Rb ^ S s * exp Rb / F * exp x) with (Rb ^ S s * (exp Rb * exp x) / F) by (field; lra).
  unfold Rdiv. apply Rmult_le_compat_r; [apply Rlt_le, Rinv_0_lt_compat; auto|].
  apply Rmult_le_compat; try (apply pow_le, Rabs_pos); try (apply Rlt_le, exp_pos).
  - apply pow_incr; split; auto; apply Rabs_pos.
  - rewrite <- exp_plus. apply Rabs_le_between in Hx.
    assert (M : Rmax 0 x <= Rb + x).
    { unfold Rmax; destruct (Rle_dec 0 x); lra. }
    destruct M; [left; now apply exp_increasing | rewrite H0; lra].
Qed.

