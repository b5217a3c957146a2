(** Chapter adaptive: from a net to all queries, and the Lipschitz constant of attention in the query. *)
Require Import Reals Lra Lia Psatz.
From Coquelicot Require Import Coquelicot.
Require Import Sums Cosine Ratio.
Open Scope R_scope.

(** adaptive.net_extension: two L-Lipschitz functions that differ by at most e on an e0-net differ by at most e + 2 L e0
    everywhere. [dist] is any function; no metric axiom is needed. *)
Theorem net_extension (X : Type) (dist : X -> X -> R) (F G : X -> R)
    (net : X -> Prop) (dom : X -> Prop) (L e e0 : R) :
  0 <= L ->
  (forall x y, dom x -> dom y -> Rabs (F x - F y) <= L * dist x y) ->
  (forall x y, dom x -> dom y -> Rabs (G x - G y) <= L * dist x y) ->
  (forall y, net y -> dom y) ->
  (forall x, dom x -> exists y, net y /\ dist x y <= e0) ->
  (forall y, net y -> Rabs (F y - G y) <= e) ->
  forall x, dom x -> Rabs (F x - G x) <= e + 2 * L * e0.
Proof.
  intros HL HF HG Hsub Hnet He x Hx.
  destruct (Hnet x Hx) as [y [Hy Hd]].
  replace (F x - G x) with ((F x - F y) + (F y - G y) - (G x - G y)) by ring.
  unfold Rminus at 1. eapply Rle_trans; [apply Rabs_triang|].
  rewrite Rabs_Ropp.
  eapply Rle_trans; [apply Rplus_le_compat_r, Rabs_triang|].
  specialize (HF x y Hx (Hsub y Hy)). specialize (HG x y Hx (Hsub y Hy)).
  specialize (He y Hy).
  assert (L * dist x y <= L * e0) by (apply Rmult_le_compat_l; auto). lra.
Qed.

Lemma exp_le_mono x y : x <= y -> exp x <= exp y.
Proof. intros [H| ->]; [left; now apply exp_increasing | right; auto]. Qed.

Lemma one_minus_exp_le (t : R) : (1 - t) * exp t <= 1.
Proof.
  replace 1 with (exp (- t) * exp t) at 2 by (rewrite <- exp_plus, Rplus_opp_l; apply exp_0).
  apply Rmult_le_compat_r; [left; apply exp_pos|].
  pose proof (exp_ineq1_le (- t)). lra.
Qed.

(** tanh(t/2) <= t/2, written without tanh. *)
Lemma tanh_half_le (t : R) : 0 <= t -> (exp t - 1) / (exp t + 1) <= t / 2.
Proof.
  intros Ht. pose proof (exp_pos t).
  cut (exp t - 1 <= t / 2 * (exp t + 1)).
  { intros K. apply Rmult_le_reg_r with (exp t + 1); [lra|].
    replace ((exp t - 1) / (exp t + 1) * (exp t + 1)) with (exp t - 1) by (field; lra). auto. }
  destruct (MVT_gen (fun u => u / 2 * (exp u + 1) - (exp u - 1)) 0 t
              (fun u => (1 - (1 - u) * exp u) / 2)) as [c [Hc E]].
  - intros u _. auto_derive; auto. field.
  - intros u _. apply continuity_pt_filterlim.
    apply (ex_derive_continuous (fun u => u / 2 * (exp u + 1) - (exp u - 1))).
    auto_derive; auto.
  - rewrite exp_0 in E.
    assert (0 <= (1 - (1 - c) * exp c) / 2) by (pose proof (one_minus_exp_le c); lra).
    assert (0 <= (1 - (1 - c) * exp c) / 2 * (t - 0)) by (apply Rmult_le_pos; lra).
    lra.
Qed.

Definition attention (n d : nat) (K : nat -> nat -> R) (v : nat -> R) (q : nat -> R) : R :=
  wavg n (fun i => exp (dot d (K i) q)) v.

(** adaptive.attention_lipschitz: moving every logit by at most eta moves the answer by at most V eta. *)
Theorem softmax_logit_lipschitz (n : nat) (s s' v : nat -> R) (V eta : R) :
  (0 < n)%nat ->
  (forall i, (i < n)%nat -> Rabs (s' i - s i) <= eta) ->
  (forall i, (i < n)%nat -> Rabs (v i) <= V) ->
  Rabs (wavg n (fun i => exp (s' i)) v - wavg n (fun i => exp (s i)) v) <= V * eta.
Proof.
  intros Hn Hs Hv.
  assert (He : 0 <= eta).
  { specialize (Hs 0%nat Hn). pose proof (Rabs_pos (s' 0%nat - s 0%nat)). lra. }
  assert (HV : 0 <= V).
  { specialize (Hv 0%nat Hn). pose proof (Rabs_pos (v 0%nat)). lra. }
  eapply Rle_trans.
  { apply (ratio_absolute_sharp n (fun i => exp (s i)) (fun i => exp (s' i)) v Hn
             (fun i _ => exp_pos _) (exp (- eta)) (exp eta) (exp_pos _)); [|exact Hv].
    intros i Hi. specialize (Hs i Hi). apply abs_le_iff in Hs.
    split; rewrite <- exp_plus; apply exp_le_mono; lra. }
  assert (Sq : forall t, sqrt (exp t) = exp (t / 2)).
  { intros t. replace (exp t) with (exp (t / 2) * exp (t / 2)) by (rewrite <- exp_plus; f_equal; field).
    apply sqrt_square. left; apply exp_pos. }
  unfold interval_error. rewrite !Sq.
  replace ((exp (eta / 2) - exp (- eta / 2)) / (exp (eta / 2) + exp (- eta / 2)))
    with ((exp eta - 1) / (exp eta + 1)).
  - pose proof (tanh_half_le eta He).
    replace (V * eta) with (2 * V * (eta / 2)) by field.
    apply Rmult_le_compat_l; lra.
  - replace (exp eta) with (exp (eta / 2) * exp (eta / 2)) by (rewrite <- exp_plus; f_equal; field).
    replace (exp (- eta / 2)) with (/ exp (eta / 2)) by (rewrite <- exp_Ropp; f_equal; field).
    pose proof (exp_pos (eta / 2)). field. repeat split; nra.
Qed.

(** adaptive.attention_lipschitz: for keys of length at most Rk and values in [-V, V], attention is V Rk-Lipschitz in the
    query (logits <k, q>; a scale multiplies the constant). *)
Theorem attention_lipschitz (n d : nat) (K : nat -> nat -> R) (v : nat -> R) (V Rk : R)
    (q q' : nat -> R) :
  (0 < n)%nat -> 
  (forall i, (i < n)%nat -> Rabs (v i) <= V) ->
  (forall i, (i < n)%nat -> sqrt (nsq d (K i)) <= Rk) ->
  Rabs (attention n d K v q' - attention n d K v q) <= V * Rk * sqrt (nsq d (vsub q' q)).
Proof.
  intros Hn Hv HK. unfold attention. rewrite Rmult_assoc.
  apply softmax_logit_lipschitz; auto.
  intros i Hi.
  assert (E : dot d (K i) q' - dot d (K i) q = dot d (K i) (vsub q' q)).
  { unfold dot, vsub. rewrite <- sumn_minus. apply sumn_ext; intros; ring. }
  rewrite E.
  assert (N : forall z, 0 <= nsq d z) by (intros z; apply sumn_nonneg; intros; apply Rle_0_sqr).
  apply Rle_trans with (sqrt (nsq d (K i)) * sqrt (nsq d (vsub q' q))).
  - rewrite <- sqrt_mult by auto. rewrite <- (sqrt_Rsqr_abs (dot d _ _)).
    apply sqrt_le_1_alt. unfold Rsqr.
    pose proof (cauchy_schwarz d (K i) (vsub q' q)) as C. simpl in C. lra.
  - apply Rmult_le_compat_r; [apply sqrt_pos|auto].
Qed.

(** Adding one vector to every key multiplies all weights by the same number, so attention does not change. *)
Theorem attention_shift_invariant (n d : nat) (K : nat -> nat -> R) (v m q : nat -> R) :
  (0 < n)%nat -> attention n d (fun i => vsub (K i) m) v q = attention n d K v q.
Proof.
  intros Hn. unfold attention, wavg.
  assert (E : forall i, exp (dot d (vsub (K i) m) q) = exp (- dot d m q) * exp (dot d (K i) q)).
  { intros i. rewrite <- exp_plus. f_equal. unfold dot, vsub.
    replace (- sumn d (fun i0 => m i0 * q i0)) with (-1 * sumn d (fun i0 => m i0 * q i0)) by ring.
    rewrite <- sumn_scal, <- sumn_plus. apply sumn_ext; intros; ring. }
  rewrite (sumn_ext n (fun i => exp (dot d (vsub (K i) m) q) * v i)
             (fun i => exp (- dot d m q) * (exp (dot d (K i) q) * v i))) by (intros; rewrite E; ring).
  rewrite (sumn_ext n (fun i => exp (dot d (vsub (K i) m) q))
             (fun i => exp (- dot d m q) * exp (dot d (K i) q))) by (intros; apply E).
  rewrite !sumn_scal. pose proof (exp_pos (- dot d m q)).
  assert (0 < sumn n (fun i => exp (dot d (K i) q))) by (apply sumn_pos; auto; intros; apply exp_pos).
  field. split; lra.
Qed.

(** adaptive.attention_lipschitz, centred: only the distance of the keys from one point m counts, so keys in
    [0, R]^d give half the constant (m the centre of the box). *)
Theorem attention_lipschitz_centred (n d : nat) (K : nat -> nat -> R) (v m : nat -> R) (V Rk : R) (q q' : nat -> R) :
  (0 < n)%nat ->
  (forall i, (i < n)%nat -> Rabs (v i) <= V) ->
  (forall i, (i < n)%nat -> sqrt (nsq d (vsub (K i) m)) <= Rk) ->
  Rabs (attention n d K v q' - attention n d K v q) <= V * Rk * sqrt (nsq d (vsub q' q)).
Proof.
  intros Hn Hv HK. rewrite <- (attention_shift_invariant n d K v m q'), <- (attention_shift_invariant n d K v m q) by auto.
  now apply attention_lipschitz.
Qed.
