(** Chapter noise: for log-concave weights the largest shift is the worst one, so a large table needs one check only. *)
Require Import Reals Lra Lia Psatz.
Require Import Sums.
Open Scope R_scope.

Section Monotone.
Variable w : nat -> R.                 (* weights; beyond the table they are 0 *)
Variable E : R.                        (* in place of e^eps *)
Hypothesis Hw : forall k, 0 <= w k.
Hypothesis HE : 0 <= E.
(** Log-concavity, in the form that also forbids gaps: neighbouring ratios w (k+1) / w k never grow. *)
Hypothesis Hlc : forall i j, (i <= j)%nat -> w i * w (S j) <= w (S i) * w j.

(** The same weights, t steps further. *)
Definition shifted (t k : nat) : R := if (k <? t)%nat then 0 else w (k - t).
(** delta_t(eps) times the total weight, from the outputs below N. *)
Definition table_delta (N t : nat) : R := sumn N (fun k => Rmax 0 (w k - E * shifted t k)).

Lemma ratio_far (i j t : nat) : (i <= j)%nat -> w i * w (j + t) <= w (i + t) * w j.
Proof.
  intros Hij. induction t as [|t IH]; [rewrite !Nat.add_0_r; lra|].
  rewrite !Nat.add_succ_r. pose proof (Hlc (i + t) (j + t) ltac:(lia)) as H.
  pose proof (Hw i). pose proof (Hw j). pose proof (Hw (i + t)). pose proof (Hw (j + t)).
  pose proof (Hw (S (i + t))). pose proof (Hw (S (j + t))).
  destruct (Req_dec (w (i + t)) 0) as [Z|Z].
  - (* a zero inside: then w i or w (j + t) is zero too, and everything beyond *)
    rewrite Z, Rmult_0_l in IH. assert (P : w i * w (j + t)%nat = 0).
    { apply Rle_antisym; [lra|]. apply Rmult_le_pos; auto. }
    apply Rmult_integral in P. destruct P as [P|P]; [rewrite P, Rmult_0_l; apply Rmult_le_pos; auto|].
    assert (Q : w i * w (S (j + t)) <= w (S i) * w (j + t)%nat) by (apply Hlc; lia).
    rewrite P, Rmult_0_r in Q. eapply Rle_trans; [exact Q|]. apply Rmult_le_pos; auto.
  - destruct (Req_dec (w (j + t)) 0) as [Z'|Z'].
    + assert (Q : w i * w (S (j + t)) <= w (S i) * w (j + t)%nat) by (apply Hlc; lia).
      rewrite Z', Rmult_0_r in Q. eapply Rle_trans; [exact Q|]. apply Rmult_le_pos; auto.
    + apply Rmult_le_reg_r with (w (i + t)%nat * w (j + t)%nat); [apply Rmult_lt_0_compat; lra|].
      replace (w i * w (S (j + t)) * (w (i + t)%nat * w (j + t)%nat))
        with ((w i * w (j + t)%nat) * (w (i + t)%nat * w (S (j + t)))) by ring.
      replace (w (S (i + t)) * w j * (w (i + t)%nat * w (j + t)%nat))
        with ((w (i + t)%nat * w j) * (w (S (i + t)) * w (j + t)%nat)) by ring.
      apply Rmult_le_compat; auto; apply Rmult_le_pos; auto.
Qed.

(** Where the first law exceeds E times the shifted one, it does so at every smaller output. *)
Lemma down_closed (t k k' : nat) : (k' <= k)%nat -> E * shifted t k < w k -> E * shifted t k' <= w k'.
Proof.
  intros Hk H. unfold shifted in *. destruct (k' <? t)%nat eqn:A.
  { rewrite Rmult_0_r. apply Hw. }
  apply Nat.ltb_ge in A. replace (k <? t)%nat with false in H by (symmetry; apply Nat.ltb_ge; lia).
  pose proof (ratio_far (k' - t) (k - t) t ltac:(lia)) as R0.
  replace (k - t + t)%nat with k in R0 by lia. replace (k' - t + t)%nat with k' in R0 by lia.
  pose proof (Hw (k' - t)). pose proof (Hw (k - t)). pose proof (Hw k'). pose proof (Hw k).
  destruct (Req_dec (w (k - t)%nat) 0) as [Z|Z].
  - rewrite Z, Rmult_0_r in *. assert (P : w (k' - t)%nat = 0) by nra. rewrite P, Rmult_0_r. auto.
  - apply Rmult_le_reg_r with (w (k - t)%nat); [lra|]. nra.
Qed.

Lemma threshold (N t : nat) : exists K, (K <= N)%nat /\
  table_delta N t = sumn K (fun k => w k - E * shifted t k).
Proof.
  unfold table_delta. induction N as [|N [K [HK IH]]]; [exists 0%nat; split; auto|].
  destruct (Rle_dec (w N) (E * shifted t N)) as [L|L].
  - exists K. split; [lia|]. cbn [sumn]. rewrite IH, Rmax_left by lra. ring.
  - exists (S N). split; [lia|]. apply sumn_ext; intros k Hk. rewrite Rmax_right; auto.
    pose proof (down_closed t N k ltac:(lia) ltac:(lra)). lra.
Qed.

Lemma shifted_sum (t K : nat) : sumn K (shifted (S t)) <= sumn K (shifted t).
Proof.
  assert (G : forall K, sumn (S K) (shifted (S t)) = sumn K (shifted t)).
  { induction K0 as [|K0 IH]; [simpl; unfold shifted; simpl; ring|].
    cbn [sumn] in *. rewrite IH. f_equal. }
  destruct K as [|K]; [simpl; lra|]. rewrite G. cbn [sumn]. unfold shifted.
  destruct (K <? t)%nat; [lra|]. pose proof (Hw (K - t)). lra.
Qed.

(** noise.integer_table_monotone: delta_t is nondecreasing in the shift t. *)
Theorem table_delta_monotone (N t : nat) : table_delta N t <= table_delta N (S t).
Proof.
  destruct (threshold N t) as [K [HK ->]].
  apply Rle_trans with (sumn K (fun k => w k - E * shifted (S t) k)).
  - rewrite !sumn_minus, !sumn_scal. pose proof (shifted_sum t K).
    assert (E * sumn K (shifted (S t)) <= E * sumn K (shifted t)) by (apply Rmult_le_compat_l; auto). lra.
  - unfold table_delta. replace N with (K + (N - K))%nat by lia. clear HK. induction (N - K)%nat as [|m IH].
    + rewrite Nat.add_0_r. apply sumn_le; intros k _. apply Rmax_r.
    + rewrite Nat.add_succ_r. cbn [sumn]. pose proof (Rmax_l 0 (w (K + m)%nat - E * shifted (S t) (K + m))). lra.
Qed.
End Monotone.

(** Not vacuous: the weights 1, 2, 1 are log-concave, and their delta grows. *)
Theorem table_delta_instance :
  let w := fun k => match k with O => 1 | 1%nat => 2 | 2%nat => 1 | _ => 0 end : R in
  (forall i j, (i <= j)%nat -> w i * w (S j) <= w (S i) * w j) /\
  table_delta w 1 5 1 = 2 /\ table_delta w 1 5 2 = 3 /\ table_delta w 1 5 3 = 4.
Proof.
  intros w. split.
  - intros [|[|[|i]]] [|[|[|j]]] H; simpl; try lia; try lra.
  - unfold table_delta, shifted, w; simpl. repeat split;
    repeat (match goal with |- context [Rmax 0 ?x] => unfold Rmax at 1; destruct (Rle_dec 0 x) end; try lra).
Qed.
