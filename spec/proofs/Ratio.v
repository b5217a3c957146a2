(** Error propagation through a softmax ratio. *)
Require Import Reals Lra Lia Psatz.
Require Import Sums.
Open Scope R_scope.

(** The answer of attention: the mean of the values v with weights a. *)
Definition wavg (n : nat) (a v : nat -> R) : R := sumn n (fun i => a i * v i) / sumn n a.

(** The error constants: weights within lo..hi of the exact ones; relative error es, signed values in [-V, V]; and
    relative error es, values >= 0 (relative to the answer). *)
Definition interval_error (lo hi V : R) : R := 2 * V * ((sqrt hi - sqrt lo) / (sqrt hi + sqrt lo)).
Definition signed_error (es V : R) : R := 2 * V * es / (1 + sqrt (1 - es * es)).
Definition nonneg_error (es : R) : R := 2 * es / (1 - es).

Section Ratio.
Variables (n : nat) (a b v : nat -> R).
Hypothesis Hn : (0 < n)%nat.
Hypothesis Ha : forall i, (i < n)%nat -> 0 < a i.

Section LoHi.
Variables (lo hi : R).
Hypothesis Hlo : 0 < lo.
Hypothesis Hb : forall i, (i < n)%nat -> lo * a i <= b i <= hi * a i.

Lemma lo_le_hi : lo <= hi.
Proof.
  destruct (Hb 0%nat Hn). specialize (Ha 0%nat Hn). nra.
Qed.

Lemma b_pos i : (i < n)%nat -> 0 < b i.
Proof. intros Hi. destruct (Hb i Hi). specialize (Ha i Hi). nra. Qed.

Lemma suma_pos : 0 < sumn n a. Proof. apply sumn_pos; auto. Qed.
Lemma sumb_pos : 0 < sumn n b. Proof. apply sumn_pos; auto. apply b_pos. Qed.

Lemma weighted_bounds u : (forall i, (i < n)%nat -> 0 <= u i) ->
  lo * sumn n (fun i => a i * u i) <= sumn n (fun i => b i * u i)
    <= hi * sumn n (fun i => a i * u i).
Proof.
  intros Hu. rewrite <- !sumn_scal.
  split; apply sumn_le; intros i Hi; destruct (Hb i Hi); specialize (Hu i Hi); nra.
Qed.

Lemma sum_bounds : lo * sumn n a <= sumn n b <= hi * sumn n a.
Proof.
  rewrite <- !sumn_scal.
  split; apply sumn_le; intros i Hi; destruct (Hb i Hi); lra.
Qed.

(** attention.ratio_error_interval: values >= 0 and weights within lo..hi of the exact ones: the answer lies within
    lo/hi..hi/lo of the exact one. *)
Theorem ratio_relative_nonneg :
  (forall i, (i < n)%nat -> 0 <= v i) ->
  lo / hi * wavg n a v <= wavg n b v <= hi / lo * wavg n a v.
Proof.
  intros Hv. unfold wavg.
  destruct (weighted_bounds v Hv) as [N1 N2]. destruct sum_bounds as [D1 D2].
  pose proof suma_pos as Pa. pose proof sumb_pos as Pb. pose proof lo_le_hi.
  assert (N0 : 0 <= sumn n (fun i => a i * v i)).
  { apply sumn_nonneg; intros i Hi. specialize (Ha i Hi); specialize (Hv i Hi). nra. }
  set (N := sumn n (fun i => a i * v i)) in *.
  set (N' := sumn n (fun i => b i * v i)) in *.
  set (D := sumn n a) in *. set (D' := sumn n b) in *.
  split.
  - apply Rmult_le_reg_r with (hi * D * D'); [nra|]. 
    replace (lo / hi * (N / D) * (hi * D * D')) with (lo * N * D') by (field; lra).
    replace (N' / D' * (hi * D * D')) with (N' * (hi * D)) by (field; lra).
    apply Rmult_le_compat; nra.
  - apply Rmult_le_reg_r with (lo * D * D'); [repeat apply Rmult_lt_0_compat; lra|]. 
    replace (hi / lo * (N / D) * (lo * D * D')) with (hi * N * D') by (field; lra).
    replace (N' / D' * (lo * D * D')) with (N' * (lo * D)) by (field; lra).
    replace (hi * N * D') with ((hi * N) * D') by ring.
    apply Rle_trans with (hi * N * (lo * D)); [|].
    2:{ apply Rmult_le_compat_l; nra. }
    apply Rmult_le_compat_r; nra.
Qed.

(** attention.ratio_error_interval: signed values in [-V, V] and weights within lo..hi of the exact ones. *)
Theorem ratio_absolute_sharp (V : R) :
  (forall i, (i < n)%nat -> Rabs (v i) <= V) ->
  Rabs (wavg n b v - wavg n a v) <= interval_error lo hi V.
Proof.
  unfold interval_error. intros Hv.
  pose proof suma_pos as Pa. pose proof sumb_pos as Pb. pose proof lo_le_hi as Hlh.
  assert (HV : 0 <= V).
  { specialize (Hv 0%nat Hn). pose proof (Rabs_pos (v 0%nat)). lra. }
  (* P = sum a (V+v), Q = sum a (V-v), both >= 0, P+Q = 2 V D *)
  assert (Hvb : forall i, (i < n)%nat -> - V <= v i <= V).
  { intros i Hi. specialize (Hv i Hi). now apply abs_le_iff. }
  assert (Hup : forall i, (i < n)%nat -> 0 <= V + v i) by (intros i Hi; destruct (Hvb i Hi); lra).
  assert (Hum : forall i, (i < n)%nat -> 0 <= V - v i) by (intros i Hi; destruct (Hvb i Hi); lra).
  destruct (weighted_bounds _ Hup) as [P1 P2].
  destruct (weighted_bounds _ Hum) as [Q1 Q2].
  assert (EP : forall c, sumn n (fun i => c i * (V + v i)) = V * sumn n c + sumn n (fun i => c i * v i)).
  { intros c. rewrite <- sumn_scal, <- sumn_plus. apply sumn_ext; intros; ring. }
  assert (EQ : forall c, sumn n (fun i => c i * (V - v i)) = V * sumn n c - sumn n (fun i => c i * v i)).
  { intros c. rewrite <- sumn_scal, <- sumn_minus. apply sumn_ext; intros; ring. }
  assert (P0 : 0 <= sumn n (fun i => a i * (V + v i))).
  { apply sumn_nonneg; intros i Hi. specialize (Ha i Hi); specialize (Hup i Hi); nra. }
  assert (Q0 : 0 <= sumn n (fun i => a i * (V - v i))).
  { apply sumn_nonneg; intros i Hi. specialize (Ha i Hi); specialize (Hum i Hi); nra. }
  rewrite EP in P0, P1, P2. rewrite EP in P1, P2.
  rewrite EQ in Q0, Q1, Q2. rewrite EQ in Q1, Q2.
  unfold wavg.
  set (N := sumn n (fun i => a i * v i)) in *.
  set (N' := sumn n (fun i => b i * v i)) in *.
  set (D := sumn n a) in *. set (D' := sumn n b) in *.
  set (h := sqrt hi). set (l := sqrt lo).
  assert (Hl : 0 < l) by (apply sqrt_lt_R0; auto).
  assert (Hh : l <= h) by (apply sqrt_le_1; lra).
  assert (Eh : hi = h * h) by (unfold h; rewrite sqrt_sqrt; lra).
  assert (El : lo = l * l) by (unfold l; rewrite sqrt_sqrt; lra).
  clearbody h l.
  set (P := V * D + N) in *. set (Q := V * D - N) in *.
  set (P' := V * D' + N') in *. set (Q' := V * D' - N') in *.
  (* core inequality, with x = sqrt(P'Q), y = sqrt(PQ') *)
  assert (core : forall p q p' q', 0 <= p -> 0 <= q ->
     lo * p <= p' <= hi * p -> lo * q <= q' <= hi * q ->
     (h + l) * (p' * q - p * q') <= (h - l) * ((p + q) * (p' + q'))).
  { intros p q p' q' Hp Hq [Hp1 Hp2] [Hq1 Hq2].
    assert (Hp' : 0 <= p') by nra. assert (Hq' : 0 <= q') by nra.
    set (x := sqrt (p' * q)). set (y := sqrt (p * q')).
    assert (Hs : 0 <= p' * q) by nra. assert (Ht : 0 <= p * q') by nra.
    assert (Ex : x * x = p' * q) by (apply sqrt_sqrt; auto).
    assert (Ey : y * y = p * q') by (apply sqrt_sqrt; auto).
    assert (Hx : 0 <= x) by apply sqrt_pos. assert (Hy : 0 <= y) by apply sqrt_pos.
    clearbody x y.
    assert (Hxy : l * x <= h * y).
    { apply Rsqr_incr_0_var; [|nra]. unfold Rsqr.
      replace (l * x * (l * x)) with (lo * (p' * q)) by (rewrite El, <- Ex; ring).
      replace (h * y * (h * y)) with (hi * (p * q')) by (rewrite Eh, <- Ey; ring).
      assert (p' * q <= hi * p * q) by (apply Rmult_le_compat_r; lra).
      assert (p * (lo * q) <= p * q') by (apply Rmult_le_compat_l; lra).
      assert (0 < hi) by lra. nra. }
    assert (AM : 2 * (x * y) <= p * p' + q * q').
    { apply Rsqr_incr_0_var; [|nra]. unfold Rsqr.
      replace (2 * (x * y) * (2 * (x * y))) with (4 * ((x * x) * (y * y))) by ring.
      rewrite Ex, Ey.
      pose proof (Rle_0_sqr (p * p' - q * q')) as S. unfold Rsqr in S. nra. }
    replace ((p + q) * (p' + q')) with (p * p' + q * q' + x * x + y * y)
      by (rewrite Ex, Ey; ring).
    rewrite <- Ex, <- Ey.
    assert ((l * x - h * y) * (x + y) <= 0) by nra.
    nra. }
  assert (C1 := core P Q P' Q' P0 Q0 (conj P1 P2) (conj Q1 Q2)).
  assert (C2 := core Q P Q' P' Q0 P0 (conj Q1 Q2) (conj P1 P2)).
  clear core.
  destruct (Req_dec V 0) as [HV0|HV0].
  { (* V = 0 : all values 0 *)
    assert (N = 0) by (unfold P, Q in P0, Q0; rewrite HV0 in P0, Q0; lra).
    assert (N' = 0).
    { unfold P', Q', P, Q in *. rewrite HV0, H in *. lra. }
    rewrite H, H0, HV0. unfold Rdiv. rewrite !Rmult_0_l, Rminus_0_r, Rabs_R0. lra. }
  assert (VP : 0 < V) by lra.
  assert (E : P' * Q - P * Q' = 2 * V * (N' * D - N * D')) by (unfold P, P', Q, Q'; ring).
  assert (E' : Q' * P - Q * P' = - (2 * V * (N' * D - N * D'))) by (unfold P, P', Q, Q'; ring).
  assert (S1 : (P + Q) * (P' + Q') = 4 * V * V * (D * D')) by (unfold P, P', Q, Q'; ring).
  assert (S2 : (Q + P) * (Q' + P') = 4 * V * V * (D * D')) by (unfold P, P', Q, Q'; ring).
  rewrite E, S1 in C1. rewrite E', S2 in C2.
  assert (DD : 0 < D * D') by nra.
  replace (N' / D' - N / D) with ((N' * D - N * D') / (D * D')) by (field; lra).
  set (X := N' * D - N * D') in *. set (Y := D * D') in *.
  apply Rabs_le.
  assert (K1 : (h + l) * X <= 2 * V * (h - l) * Y).
  { apply Rmult_le_reg_l with (2 * V); [lra|]. nra. }
  assert (K2 : (h + l) * (- X) <= 2 * V * (h - l) * Y).
  { apply Rmult_le_reg_l with (2 * V); [lra|]. nra. }
  split; apply Rmult_le_reg_r with (Y * (h + l)); try nra.
  - replace (- (2 * V * ((h - l) / (h + l))) * (Y * (h + l))) with (- (2 * V * (h - l) * Y)) by (field; lra).
    replace (X / Y * (Y * (h + l))) with (X * (h + l)) by (field; lra). lra.
  - replace (2 * V * ((h - l) / (h + l)) * (Y * (h + l))) with (2 * V * (h - l) * Y) by (field; lra).
    replace (X / Y * (Y * (h + l))) with (X * (h + l)) by (field; lra). lra.
Qed.
End LoHi.

Section RelErr.
Variable es : R.
Hypothesis Hes : 0 <= es < 1.
Hypothesis Hrel : forall i, (i < n)%nat -> Rabs (b i - a i) <= es * a i.

Lemma rel_lohi i : (i < n)%nat -> (1 - es) * a i <= b i <= (1 + es) * a i.
Proof.
  intros Hi. specialize (Hrel i Hi). apply abs_le_iff in Hrel. lra.
Qed.

(** attention.ratio_error_nonnegative: values >= 0 and relative kernel error es: error at most 2 es/(1 - es) times the
    exact answer. *)
Theorem softmax_relative_error_nonneg :
  (forall i, (i < n)%nat -> 0 <= v i) ->
  Rabs (wavg n b v - wavg n a v) <= nonneg_error es * wavg n a v.
Proof.
  unfold nonneg_error. intros Hv.
  destruct (ratio_relative_nonneg (1 - es) (1 + es) ltac:(lra) rel_lohi Hv) as [L U].
  assert (W : 0 <= wavg n a v).
  { unfold wavg. apply Rmult_le_pos.
    - apply sumn_nonneg; intros i Hi. specialize (Ha i Hi); specialize (Hv i Hi); nra.
    - apply Rlt_le, Rinv_0_lt_compat, sumn_pos; auto. }
  set (o := wavg n a v) in *. set (o' := wavg n b v) in *.
  apply Rabs_le. split.
  - apply Rle_trans with ((1 - es) / (1 + es) * o - o); [|lra].
    cut (0 <= 4 * es * es / ((1 - es) * (1 + es)) * o).
    { intros K. replace ((1 - es) / (1 + es) * o - o)
       with (- (2 * es / (1 - es) * o) + 4 * es * es / ((1 - es) * (1 + es)) * o)
       by (field; lra). lra. }
    apply Rmult_le_pos; auto. apply Rmult_le_pos; [nra|].
    apply Rlt_le, Rinv_0_lt_compat. nra.
  - apply Rle_trans with ((1 + es) / (1 - es) * o - o); [lra|].
    right. field. lra.
Qed.

(** attention.ratio_error_signed: values in [-V, V] and relative kernel error es: error at most
    2 V es / (1 + sqrt(1 - es^2)), which lies between V es and 2 V es. *)
Theorem softmax_absolute_error_sharp (V : R) :
  (forall i, (i < n)%nat -> Rabs (v i) <= V) ->
  Rabs (wavg n b v - wavg n a v) <= signed_error es V.
Proof.
  unfold signed_error. intros Hv.
  eapply Rle_trans;
    [apply (ratio_absolute_sharp (1 - es) (1 + es) ltac:(lra) rel_lohi V Hv)|].
  right. unfold interval_error.
  replace (1 - es * es) with ((1 + es) * (1 - es)) by ring.
  rewrite sqrt_mult by lra.
  set (h := sqrt (1 + es)). set (l := sqrt (1 - es)).
  assert (Hh : 0 < h) by (apply sqrt_lt_R0; lra).
  assert (Hl : 0 < l) by (apply sqrt_lt_R0; lra).
  assert (Eh : h * h = 1 + es) by (apply sqrt_sqrt; lra).
  assert (El : l * l = 1 - es) by (apply sqrt_sqrt; lra).
  assert (Z : (h - l) * (1 + h * l) = es * (h + l)).
  { replace ((h - l) * (1 + h * l)) with (h - l + (h * h) * l - h * (l * l)) by ring.
    rewrite Eh, El. ring. }
  assert (0 < h * l) by nra.
  apply Rmult_eq_reg_r with ((h + l) * (1 + h * l)); [|nra].
  replace (2 * V * ((h - l) / (h + l)) * ((h + l) * (1 + h * l)))
    with (2 * V * ((h - l) * (1 + h * l))) by (field; lra).
  rewrite Z. field. lra.
Qed.

(** attention.ratio_error_signed, the simpler constant: 2 es V. *)
Corollary softmax_absolute_error (V : R) :
  (forall i, (i < n)%nat -> Rabs (v i) <= V) ->
  Rabs (wavg n b v - wavg n a v) <= 2 * es * V.
Proof.
  intros Hv. eapply Rle_trans; [apply softmax_absolute_error_sharp; eauto|]. unfold signed_error.
  assert (HV : 0 <= V).
  { specialize (Hv 0%nat Hn). pose proof (Rabs_pos (v 0%nat)). lra. }
  pose proof (sqrt_pos (1 - es * es)) as S.
  apply Rmult_le_reg_r with (1 + sqrt (1 - es * es)); [lra|].
  set (q := sqrt (1 - es * es)) in *.
  replace (2 * V * es / (1 + q) * (1 + q)) with (2 * V * es) by (field; lra).
  assert (0 <= V * es) by nra. nra.
Qed.

(** attention.ratio_error_signed, as published: 2 es/(1 - es) V, weaker than the two above. *)
Corollary softmax_absolute_error_paper (V : R) :
  (forall i, (i < n)%nat -> Rabs (v i) <= V) ->
  Rabs (wavg n b v - wavg n a v) <= 2 * es / (1 - es) * V.
Proof.
  intros Hv. eapply Rle_trans; [apply softmax_absolute_error; eauto|].
  assert (HV : 0 <= V).
  { specialize (Hv 0%nat Hn). pose proof (Rabs_pos (v 0%nat)). lra. }
  apply Rmult_le_compat_r; auto.
  apply Rmult_le_reg_r with (1 - es); [lra|].
  replace (2 * es / (1 - es) * (1 - es)) with (2 * es) by (field; lra). nra.
Qed.
End RelErr.
End Ratio.

(** attention.ratio_error_signed: attained, by two rows. *)
Theorem softmax_absolute_error_tight (es V : R) : 0 < es < 1 -> 0 <= V ->
  exists a b v : nat -> R,
    (forall i, (i < 2)%nat -> 0 < a i) /\
    (forall i, (i < 2)%nat -> Rabs (b i - a i) <= es * a i) /\
    (forall i, (i < 2)%nat -> Rabs (v i) <= V) /\
    wavg 2 b v - wavg 2 a v = signed_error es V.
Proof.
  unfold signed_error. intros Hes HV.
  set (h := sqrt (1 + es)). set (l := sqrt (1 - es)).
  assert (Hh : 0 < h) by (apply sqrt_lt_R0; lra).
  assert (Hl : 0 < l) by (apply sqrt_lt_R0; lra).
  assert (Eh : h * h = 1 + es) by (apply sqrt_sqrt; lra).
  assert (El : l * l = 1 - es) by (apply sqrt_sqrt; lra).
  exists (fun i => match i with O => l | _ => h end).
  exists (fun i => match i with O => (1 + es) * l | _ => (1 - es) * h end).
  exists (fun i => match i with O => V | _ => - V end).
  repeat split.
  - intros [|[|]] Hi; auto; lia.
  - intros [|[|]] Hi; try lia; apply Rabs_le; nra.
  - intros [|[|]] Hi; try lia; [|rewrite Rabs_Ropp]; rewrite Rabs_pos_eq; lra.
  - unfold wavg; simpl.
    replace (1 - es * es) with ((1 + es) * (1 - es)) by ring.
    rewrite sqrt_mult by lra. fold h l. rewrite <- Eh, <- El.
    assert (es = (h * h - l * l) / 2) by lra.
    assert (h * h + l * l = 2) by lra.
    assert (0 < h * l) by nra.
    assert (Q : (h - l) * (1 + h * l) = es * (h + l)).
    { replace ((h - l) * (1 + h * l)) with (h - l + (h * h) * l - h * (l * l)) by ring.
      rewrite Eh, El. ring. }
    assert (D1 : h * h * l + l * l * h = h * l * (h + l)) by ring.
    replace (2 * V * es / (1 + h * l)) with (2 * V * ((h - l) / (h + l))).
    2:{ apply Rmult_eq_reg_r with ((h + l) * (1 + h * l)); [|nra].
        replace (2 * V * ((h - l) / (h + l)) * ((h + l) * (1 + h * l)))
          with (2 * V * ((h - l) * (1 + h * l))) by (field; lra).
        rewrite Q. field. lra. }
    field. repeat split; nra.
Qed.

(** attention.attention_weights: with positive weights the answer is a mean: it lies between bounds of the values. *)
Theorem wavg_between (n : nat) (a v : nat -> R) (lo hi : R) :
  (0 < n)%nat -> (forall i, (i < n)%nat -> 0 < a i) -> (forall i, (i < n)%nat -> lo <= v i <= hi) ->
  lo <= wavg n a v <= hi.
Proof.
  intros Hn Ha Hv. assert (P : 0 < sumn n a) by (apply sumn_pos; auto). unfold wavg.
  split; apply Rmult_le_reg_r with (sumn n a); auto; unfold Rdiv; rewrite Rmult_assoc, Rinv_l, Rmult_1_r by lra;
    rewrite <- sumn_scal; apply sumn_le; intros i Hi; specialize (Ha i Hi); destruct (Hv i Hi); nra.
Qed.

(** attention.noisy_ratio: noise e1 on the numerator and e2 on the denominator, |e2| < D. *)
Theorem noisy_ratio_error (N D e1 e2 : R) :
  0 < D -> Rabs e2 < D ->
  Rabs ((N + e1) / (D + e2) - N / D)
    <= (Rabs e1 + Rabs (N / D) * Rabs e2) / (D - Rabs e2).
Proof.
  intros HD He.
  assert (He' := abs_le_iff e2 (Rabs e2)).
  assert (- Rabs e2 <= e2 <= Rabs e2) by (apply He'; lra).
  assert (HD' : 0 < D - Rabs e2) by lra.
  assert (HD2 : 0 < D + e2) by lra.
  replace ((N + e1) / (D + e2) - N / D) with ((e1 - N / D * e2) / (D + e2)) by (field; lra).
  unfold Rdiv at 1. rewrite Rabs_mult, (Rabs_pos_eq (/ (D + e2))).
  2:{ apply Rlt_le, Rinv_0_lt_compat; lra. }
  unfold Rdiv at 2. apply Rmult_le_compat; try apply Rabs_pos.
  - apply Rlt_le, Rinv_0_lt_compat; lra.
  - unfold Rminus. eapply Rle_trans; [apply Rabs_triang|].
    rewrite Rabs_Ropp, Rabs_mult. lra.
  - apply Rinv_le_contravar; lra.
Qed.

(** attention.noisy_ratio, where the noise is at most half the denominator. *)
Corollary noisy_ratio_error_half (N D e1 e2 : R) :
  0 < D -> Rabs e2 <= D / 2 ->
  Rabs ((N + e1) / (D + e2) - N / D)
    <= 2 / D * (Rabs e1 + Rabs (N / D) * Rabs e2).
Proof.
  intros HD He. eapply Rle_trans; [apply noisy_ratio_error; lra|].
  assert (0 <= Rabs e1 + Rabs (N / D) * Rabs e2).
  { pose proof (Rabs_pos e1). pose proof (Rabs_pos (N / D)). pose proof (Rabs_pos e2). nra. }
  unfold Rdiv at 1. rewrite Rmult_comm. apply Rmult_le_compat_r; auto.
  replace (2 / D) with (/ (D / 2)) by (field; lra).
  apply Rinv_le_contravar; lra.
Qed.
