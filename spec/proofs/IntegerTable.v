(** Chapter noise: a table of integer weights is checked by integer arithmetic alone. Output k of the mechanism on
    data x is x + k with probability w_k / (sum of w); a shift by t grid steps pads the table by t zeros. *)
Require Import Reals Lra Lia ZArith List Bool.
Require Import Sums DP FiniteDP.
Import ListNotations.
Open Scope R_scope.

Fixpoint totalZ (ws : list Z) : Z := match ws with [] => 0%Z | w :: t => (w + totalZ t)%Z end.

(** Sum over k of max(0, den w_k - num w'_k). *)
Fixpoint excess (num den : Z) (ws ws' : list Z) : Z :=
  match ws, ws' with
  | w :: t, w' :: t' => (Z.max 0 (den * w - num * w') + excess num den t t')%Z
  | _, _ => 0%Z
  end.

Definition at_zero (t : nat) (ws : list Z) : list Z := ws ++ repeat 0%Z t.
Definition at_shift (t : nat) (ws : list Z) : list Z := repeat 0%Z t ++ ws.

(** delta_t(eps) <= dnum/dden, in both directions, with num/den in place of e^eps. *)
Definition shift_ok (num den dnum dden : Z) (ws : list Z) (t : nat) : bool :=
  (excess num den (at_zero t ws) (at_shift t ws) * dden <=? dnum * (den * totalZ ws))%Z &&
  (excess num den (at_shift t ws) (at_zero t ws) * dden <=? dnum * (den * totalZ ws))%Z.

(** The whole check: weights non-negative, not all zero, and every shift from 0 to tmax within delta. *)
Definition table_ok (num den dnum dden : Z) (ws : list Z) (tmax : nat) : bool :=
  forallb (fun w => 0 <=? w)%Z ws && (0 <? totalZ ws)%Z && (0 <? num)%Z && (0 <? den)%Z && (0 <? dden)%Z &&
  forallb (shift_ok num den dnum dden ws) (seq 0 (S tmax)).

(** The law of the output, as a distribution on {0, .., length - 1}. *)
Definition law (ws : list Z) : nat -> R := fun k => IZR (nth k ws 0%Z) / IZR (totalZ ws).

Lemma sumn_head n f : sumn (S n) f = f 0%nat + sumn n (fun i => f (S i)).
Proof. induction n; [simpl; ring|]. cbn [sumn] in *. rewrite IHn. ring. Qed.

Lemma totalZ_sum ws : IZR (totalZ ws) = sumn (length ws) (fun k => IZR (nth k ws 0%Z)).
Proof.
  induction ws as [|w t IH]; [reflexivity|]. cbn [totalZ length].
  rewrite plus_IZR, IH, sumn_head. reflexivity.
Qed.

Lemma excess_sum num den ws ws' : length ws = length ws' ->
  IZR (excess num den ws ws') = sumn (length ws) (fun k => Rmax 0 (IZR den * IZR (nth k ws 0%Z) - IZR num * IZR (nth k ws' 0%Z))).
Proof.
  revert ws'. induction ws as [|w t IH]; intros [|w' t'] H; try discriminate; [reflexivity|].
  injection H as H. cbn [excess length]. rewrite plus_IZR, (IH t' H), sumn_head. cbn [nth]. f_equal.
  rewrite <- !mult_IZR, <- minus_IZR. set (z := (den * w - num * w')%Z).
  destruct (Z.max_spec 0 z) as [[L ->]|[L ->]]; [rewrite Rmax_right|rewrite Rmax_left]; auto;
    apply IZR_le; lia.
Qed.

Lemma totalZ_app a b : totalZ (a ++ b) = (totalZ a + totalZ b)%Z.
Proof. induction a; simpl; lia. Qed.
Lemma totalZ_zeros t : totalZ (repeat 0%Z t) = 0%Z.
Proof. induction t; simpl; lia. Qed.
Lemma totalZ_at_zero t ws : totalZ (at_zero t ws) = totalZ ws.
Proof. unfold at_zero. rewrite totalZ_app, totalZ_zeros. lia. Qed.
Lemma totalZ_at_shift t ws : totalZ (at_shift t ws) = totalZ ws.
Proof. unfold at_shift. rewrite totalZ_app, totalZ_zeros. lia. Qed.

Lemma nonneg_nth ws k : forallb (fun w => 0 <=? w)%Z ws = true -> (0 <= nth k ws 0)%Z.
Proof.
  intros H. destruct (nth_in_or_default k ws 0%Z) as [I|I]; [|rewrite I; lia].
  rewrite forallb_forall in H. apply Z.leb_le, H, I.
Qed.

Lemma nonneg_padded t ws : forallb (fun w => 0 <=? w)%Z ws = true ->
  forallb (fun w => 0 <=? w)%Z (at_zero t ws) = true /\ forallb (fun w => 0 <=? w)%Z (at_shift t ws) = true.
Proof.
  intros H. unfold at_zero, at_shift. rewrite !forallb_app, H.
  assert (Z0 : forallb (fun w => 0 <=? w)%Z (repeat 0%Z t) = true) by (induction t; auto). rewrite Z0. auto.
Qed.

Lemma law_pmf ws : forallb (fun w => 0 <=? w)%Z ws = true -> (0 < totalZ ws)%Z -> pmf (length ws) (law ws).
Proof.
  intros Hn HT. assert (PT : 0 < IZR (totalZ ws)) by (apply IZR_lt; auto). split.
  - intros k _. unfold law. apply Rmult_le_pos; [apply IZR_le; now apply nonneg_nth|].
    left. now apply Rinv_0_lt_compat.
  - unfold law, Rdiv. rewrite sumn_scal_r, <- totalZ_sum. apply Rinv_r. lra.
Qed.

(** One direction: an excess within delta is (eps, delta)-DP. *)
Lemma excess_dp (num den dnum dden : Z) (ws ws' : list Z) (eps : R) :
  length ws = length ws' -> totalZ ws = totalZ ws' -> (0 < totalZ ws)%Z ->
  forallb (fun w => 0 <=? w)%Z ws' = true -> (0 < num)%Z -> (0 < den)%Z -> (0 < dden)%Z ->
  (excess num den ws ws' * dden <= dnum * (den * totalZ ws))%Z ->
  IZR num / IZR den <= exp eps ->
  dp any eps (IZR dnum / IZR dden) (fin (length ws) (law ws)) (fin (length ws) (law ws')).
Proof.
  intros Hlen Htot HT Hpos Hnum Hden Hdden Hex Hexp f Hf _.
  assert (PT : 0 < IZR (totalZ ws)) by (apply IZR_lt; auto).
  assert (PD : 0 < IZR den) by (apply IZR_lt; auto). assert (PDD : 0 < IZR dden) by (apply IZR_lt; auto).
  assert (P' : 0 <= fin (length ws) (law ws') f).
  { apply sumn_nonneg; intros k _. apply Rmult_le_pos; [|apply Hf]. unfold law. rewrite <- Htot.
    apply Rmult_le_pos; [apply IZR_le; now apply nonneg_nth|]. left. now apply Rinv_0_lt_compat. }
  apply Rle_trans with (IZR num / IZR den * fin (length ws) (law ws') f + IZR dnum / IZR dden).
  2:{ apply Rplus_le_compat_r. apply Rmult_le_compat_r; auto. }
  apply IZR_le in Hex. rewrite !mult_IZR, (excess_sum num den ws ws' Hlen) in Hex.
  cut (fin (length ws) (law ws) f - IZR num / IZR den * fin (length ws) (law ws') f
       <= sumn (length ws) (fun k => Rmax 0 (IZR den * IZR (nth k ws 0%Z) - IZR num * IZR (nth k ws' 0%Z)))
          / (IZR den * IZR (totalZ ws))).
  { intros K. set (S := sumn _ _) in *.
    assert (S / (IZR den * IZR (totalZ ws)) <= IZR dnum / IZR dden); [|lra].
    apply Rmult_le_reg_r with (IZR dden * (IZR den * IZR (totalZ ws))).
    { repeat apply Rmult_lt_0_compat; auto. }
    replace (S / (IZR den * IZR (totalZ ws)) * (IZR dden * (IZR den * IZR (totalZ ws)))) with (S * IZR dden)
      by (field; lra).
    replace (IZR dnum / IZR dden * (IZR dden * (IZR den * IZR (totalZ ws))))
      with (IZR dnum * (IZR den * IZR (totalZ ws))) by (field; lra). exact Hex. }
  unfold fin, law. rewrite <- Htot. unfold Rdiv at 4. rewrite <- sumn_scal_r, <- sumn_scal, <- sumn_minus.
  apply sumn_le; intros k _. destruct (Hf k) as [F0 F1].
  set (a := IZR (nth k ws 0%Z)). set (b := IZR (nth k ws' 0%Z)).
  set (D := IZR den) in *. set (T := IZR (totalZ ws)) in *. set (N := IZR num).
  replace (a / T * f k - N / D * (b / T * f k)) with ((D * a - N * b) * f k * / (D * T)) by (field; lra).
  apply Rmult_le_compat_r; [left; apply Rinv_0_lt_compat; nra|].
  pose proof (Rmax_l 0 (D * a - N * b)). pose proof (Rmax_r 0 (D * a - N * b)). nra.
Qed.

(** noise.integer_table_delta: a table that passes the integer check is (eps, dnum/dden)-DP for every shift up to
    tmax, in both directions, for every eps with num/den <= e^eps. *)
Theorem table_ok_sound (num den dnum dden : Z) (ws : list Z) (tmax t : nat) (eps : R) :
  table_ok num den dnum dden ws tmax = true -> IZR num / IZR den <= exp eps -> (t <= tmax)%nat ->
  let n := length (at_zero t ws) in
  pmf n (law (at_zero t ws)) /\ pmf n (law (at_shift t ws)) /\
  dp any eps (IZR dnum / IZR dden) (fin n (law (at_zero t ws))) (fin n (law (at_shift t ws))) /\
  dp any eps (IZR dnum / IZR dden) (fin n (law (at_shift t ws))) (fin n (law (at_zero t ws))).
Proof.
  intros H Hexp Ht n. unfold table_ok in H. rewrite !andb_true_iff in H.
  destruct H as [[[[[Hw HT] Hnum] Hden] Hdden] Hall].
  apply Z.ltb_lt in HT, Hnum, Hden, Hdden.
  rewrite forallb_forall in Hall. specialize (Hall t ltac:(apply in_seq; lia)).
  unfold shift_ok in Hall. rewrite andb_true_iff, !Z.leb_le in Hall. destruct Hall as [A1 A2].
  destruct (nonneg_padded t ws Hw) as [N0 N1].
  assert (Hlen : length (at_zero t ws) = length (at_shift t ws)).
  { unfold at_zero, at_shift. rewrite !app_length, repeat_length. lia. }
  assert (T0 := totalZ_at_zero t ws). assert (T1 := totalZ_at_shift t ws). unfold n.
  split; [apply law_pmf; auto; lia|]. split; [rewrite Hlen; apply law_pmf; auto; lia|]. split.
  - apply (excess_dp num den); auto; lia.
  - rewrite Hlen. apply (excess_dp num den); auto; lia.
Qed.

(** The probability of the event "output at least j" is a sum of integers. *)
Lemma fin_from (ws : list Z) (j : nat) :
  fin (length ws) (law ws) (fun k => if (j <=? k)%nat then 1 else 0) = IZR (totalZ (skipn j ws)) / IZR (totalZ ws).
Proof.
  assert (A : forall ws j, sumn (length ws) (fun k => IZR (nth k ws 0%Z) * (if (j <=? k)%nat then 1 else 0))
                           = IZR (totalZ (skipn j ws))).
  { clear. induction ws as [|w t IH]; intros j; [now rewrite skipn_nil|].
    cbn [length]. rewrite sumn_head. cbn [nth]. destruct j as [|j].
    - rewrite (sumn_ext _ _ (fun k => IZR (nth k t 0%Z) * (if (0 <=? k)%nat then 1 else 0))) by reflexivity.
      rewrite (IH 0%nat). cbn [skipn totalZ Nat.leb]. rewrite plus_IZR. ring.
    - rewrite (sumn_ext _ _ (fun k => IZR (nth k t 0%Z) * (if (j <=? k)%nat then 1 else 0))) by reflexivity.
      rewrite (IH j). cbn [skipn Nat.leb]. ring. }
  rewrite <- A. unfold fin, law, Rdiv. rewrite <- sumn_scal_r. apply sumn_ext; intros k _. ring.
Qed.
