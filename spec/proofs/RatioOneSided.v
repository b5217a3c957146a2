(** Chapter attention: ratio errors when the kernel error is one-sided, (1 - e) a_i <= b_i <= a_i, and the noisy
    ratio with a clamped denominator. *)
Require Import Reals Lra Lia Psatz.
Require Import Sums Ratio.
Open Scope R_scope.

(** The constants: relative to the answer for values >= 0, absolute for values in [-V, V]. *)
Definition one_sided_relative (e : R) : R := e / (1 - e).
Definition one_sided_error (e V : R) : R := 2 * V * ((1 - sqrt (1 - e)) / (1 + sqrt (1 - e))).

Section OneSided.
Variables (n : nat) (a b v : nat -> R) (e : R).
Hypothesis Hn : (0 < n)%nat.
Hypothesis Ha : forall i, (i < n)%nat -> 0 < a i.
Hypothesis He : 0 <= e < 1.
Hypothesis Hb : forall i, (i < n)%nat -> (1 - e) * a i <= b i <= a i.

Let Hb1 i : (i < n)%nat -> (1 - e) * a i <= b i <= 1 * a i.
Proof. intros Hi. specialize (Hb i Hi). lra. Qed.

(** attention.ratio_error_nonnegative: values >= 0 and a one-sided kernel error e move the answer by at most
    e/(1-e) times the exact answer (the paper's two-sided constant is 2e/(1-e)). *)
Theorem softmax_relative_error_one_sided :
  (forall i, (i < n)%nat -> 0 <= v i) ->
  Rabs (wavg n b v - wavg n a v) <= one_sided_relative e * wavg n a v.
Proof.
  unfold one_sided_relative. intros Hv.
  destruct (ratio_relative_nonneg n a b v Hn Ha (1 - e) 1 ltac:(lra) Hb1 Hv) as [L U].
  assert (W : 0 <= wavg n a v).
  { unfold wavg. apply Rmult_le_pos.
    - apply sumn_nonneg; intros i Hi. specialize (Ha i Hi); specialize (Hv i Hi); nra.
    - apply Rlt_le, Rinv_0_lt_compat, sumn_pos; auto. }
  set (o := wavg n a v) in *. set (o' := wavg n b v) in *.
  assert (Q : e / (1 - e) * o - e * o = e * e / (1 - e) * o) by (field; lra).
  assert (0 <= e * e / (1 - e) * o).
  { apply Rmult_le_pos; auto. apply Rmult_le_pos; [nra|]. left. apply Rinv_0_lt_compat. lra. }
  apply Rabs_le. split.
  - replace ((1 - e) / 1 * o) with (o - e * o) in L by field. lra.
  - replace (1 / (1 - e) * o) with (o + e / (1 - e) * o) in U by (field; lra). lra.
Qed.

(** attention.ratio_error_one_sided: values in [-V, V] and a one-sided kernel error e move the answer by at
    most 2V (1 - sqrt(1-e))/(1 + sqrt(1-e)). *)
Theorem softmax_absolute_error_one_sided (V : R) :
  (forall i, (i < n)%nat -> Rabs (v i) <= V) ->
  Rabs (wavg n b v - wavg n a v) <= one_sided_error e V.
Proof.
  unfold one_sided_error. intros Hv. rewrite <- sqrt_1 at 1 3.
  exact (ratio_absolute_sharp n a b v Hn Ha (1 - e) 1 ltac:(lra) Hb1 V Hv).
Qed.
End OneSided.

(** attention.ratio_error_nonnegative: e/(1-e) cannot be improved. Two weights (1, t), the first shrunk by 1 - e,
    the value on the second; as t -> 0 the relative error e/(1 - e + t) tends to e/(1 - e). *)
Theorem softmax_relative_error_one_sided_tight (e t : R) : 0 <= e < 1 -> 0 < t ->
  let a := fun i => match i with O => 1 | _ => t end in
  let b := fun i => match i with O => 1 - e | _ => t end in
  let v := fun i => match i with O => 0 | _ => 1 end in
  wavg 2 b v - wavg 2 a v = e / (1 - e + t) * wavg 2 a v.
Proof. intros He Ht a b v. unfold wavg, a, b, v; simpl. field. lra. Qed.

(** attention.ratio_error_one_sided: two values (V, -V) attain the constant. *)
Theorem softmax_absolute_error_one_sided_tight (e V : R) : 0 < e < 1 -> 0 <= V ->
  exists a b v : nat -> R,
    (forall i, (i < 2)%nat -> 0 < a i) /\
    (forall i, (i < 2)%nat -> (1 - e) * a i <= b i <= a i) /\
    (forall i, (i < 2)%nat -> Rabs (v i) <= V) /\
    wavg 2 b v - wavg 2 a v = one_sided_error e V.
Proof.
  unfold one_sided_error. intros He HV. set (l := sqrt (1 - e)).
  assert (Hl : 0 < l) by (apply sqrt_lt_R0; lra).
  assert (El : l * l = 1 - e) by (apply sqrt_sqrt; lra).
  exists (fun i => match i with O => l | _ => 1 end).
  exists (fun i => match i with O => l | _ => l * l end).
  exists (fun i => match i with O => V | _ => - V end).
  repeat split.
  - intros [|[|]] Hi; auto; try lia. lra.
  - destruct i as [|[|]]; try lia; [nra | lra].
  - destruct i as [|[|]]; try lia; [lra | nra].
  - intros [|[|]] Hi; try lia; [|rewrite Rabs_Ropp]; rewrite Rabs_pos_eq; lra.
  - unfold wavg; simpl. field. repeat split; nra.
Qed.

(** attention.noisy_ratio_clamped: if the exact denominator D is at least Dmin > 0 and the noisy one is replaced by
    max(D + e2, Dmin), the answer moves by at most max(|e1|, |e1 - (N/D) e2|) / Dmin, whatever the noise. *)
Theorem noisy_ratio_clamped (N D Dmin e1 e2 : R) :
  0 < Dmin -> Dmin <= D ->
  Rabs ((N + e1) / Rmax (D + e2) Dmin - N / D) <= Rmax (Rabs e1) (Rabs (e1 - N / D * e2)) / Dmin.
Proof.
  intros Hm HD. set (u := N / D). assert (EN : N = u * D) by (unfold u; field; lra).
  clearbody u. subst N.
  assert (Hinv : 0 < / Dmin) by now apply Rinv_0_lt_compat.
  unfold Rmax at 1. destruct (Rle_dec (D + e2) Dmin) as [C|C].
  - replace ((u * D + e1) / Dmin - u) with ((e1 - u * (Dmin - D)) * / Dmin) by (field; lra).
    unfold Rdiv. rewrite Rabs_mult, (Rabs_pos_eq (/ Dmin)) by lra. apply Rmult_le_compat_r; [lra|].
    (* Dmin - D lies between e2 and 0, so the noise term lies between e1 and e1 - u e2 *)
    assert (S1 := Rmax_l (Rabs e1) (Rabs (e1 - u * e2))). assert (S2 := Rmax_r (Rabs e1) (Rabs (e1 - u * e2))).
    set (M := Rmax (Rabs e1) (Rabs (e1 - u * e2))) in *. clearbody M.
    apply abs_le_iff in S1. apply abs_le_iff in S2. apply abs_le_iff.
    destruct (Rle_dec 0 u); nra.
  - assert (P : 0 < D + e2) by lra.
    replace ((u * D + e1) / (D + e2) - u) with ((e1 - u * e2) * / (D + e2)) by (field; lra).
    unfold Rdiv. rewrite Rabs_mult, (Rabs_pos_eq (/ (D + e2))) by (left; now apply Rinv_0_lt_compat).
    apply Rmult_le_compat; auto using Rabs_pos.
    + left; now apply Rinv_0_lt_compat.
    + apply Rmax_r.
    + apply Rinv_le_contravar; lra.
Qed.

(** attention.noisy_ratio_clamped, the simpler bound: (|e1| + |N/D| |e2|) / Dmin. *)
Corollary noisy_ratio_clamped_sum (N D Dmin e1 e2 : R) :
  0 < Dmin -> Dmin <= D ->
  Rabs ((N + e1) / Rmax (D + e2) Dmin - N / D) <= (Rabs e1 + Rabs (N / D) * Rabs e2) / Dmin.
Proof.
  intros Hm HD. eapply Rle_trans; [now apply noisy_ratio_clamped|].
  unfold Rdiv at 1. unfold Rdiv at 2. apply Rmult_le_compat_r; [left; now apply Rinv_0_lt_compat|].
  apply Rmax_lub.
  - pose proof (Rmult_le_pos _ _ (Rabs_pos (N / D)) (Rabs_pos e2)). lra.
  - unfold Rminus. eapply Rle_trans; [apply Rabs_triang|]. rewrite Rabs_Ropp, Rabs_mult. lra.
Qed.

(** Projection of an answer on [-V, V]. *)
Definition project (V x : R) : R := Rmax (- V) (Rmin V x).

(** attention.noisy_ratio_clamped: projecting on [-V, V], where the exact answer lies, never makes the error larger. *)
Theorem noisy_ratio_clamped_projected (N D Dmin e1 e2 V : R) :
  0 < Dmin -> Dmin <= D -> Rabs (N / D) <= V ->
  Rabs (project V ((N + e1) / Rmax (D + e2) Dmin) - N / D) <= Rmax (Rabs e1) (Rabs (e1 - N / D * e2)) / Dmin.
Proof.
  intros Hm HD HV. eapply Rle_trans; [|now apply noisy_ratio_clamped].
  set (x := (N + e1) / Rmax (D + e2) Dmin). set (y := N / D) in *. clearbody x y.
  apply abs_le_iff in HV. unfold project, Rmax, Rmin, Rabs.
  destruct (Rle_dec V x); [destruct (Rle_dec (- V) V) | destruct (Rle_dec (- V) x)];
    repeat (match goal with |- context [Rcase_abs ?z] => destruct (Rcase_abs z) end); lra.
Qed.
