(** Chapter noise: the whole chain on one real table. 37 weights of sum 2^64 for truncated Laplace noise with sensitivity
    4 grid steps, epsilon 1, delta 1/100 (mass of the law on [k - 1/2, k + 1/2), rounded down; the rest at 0). *)
Require Import Reals Lra ZArith List.
From Interval Require Import Tactic.
Require Import Sums DP FiniteDP IntegerTable.
Import ListNotations.
Open Scope R_scope.

Definition small_table : list Z :=
  [
   10100774967956443; 33360639493291239; 42835909026342809; 55002395936748012; 70624474361507005;
   90683620120386748; 116440073111832451; 149512013396571747; 191977225301356224; 246503636712130353;
   316516934844336826; 406415789152226315; 521848203014664679; 670066356323653927; 860382232386916394;
   1104752654451339550; 1418530487468769747; 1821429200256352124; 2192778833056786430;
   1821429200256352124; 1418530487468769747; 1104752654451339550; 860382232386916394;
   670066356323653927; 521848203014664679; 406415789152226315; 316516934844336826; 246503636712130353;
   191977225301356224; 149512013396571747; 116440073111832451; 90683620120386748; 70624474361507005;
   55002395936748012; 42835909026342809; 33360639493291239; 10100774967956443
  ]%Z.

(** A rational just below e. *)
Definition e_num : Z := 2718281828459045235%Z.
Definition e_den : Z := 1000000000000000000%Z.

Lemma e_below : IZR e_num / IZR e_den <= exp 1.
Proof. unfold e_num, e_den. interval with (i_prec 80). Qed.

(** The integer check runs, and passes up to the sensitivity of 4 steps. *)
Lemma small_table_ok : table_ok e_num e_den 10000001 1000000000 small_table 4 = true.
Proof. vm_compute. reflexivity. Qed.

(** noise.integer_table_delta: adding this table's noise to data that moves by at most 4 grid steps is
    (1, 0.010000001)-DP: the sampler itself, not an idealised law. *)
Theorem small_table_dp (t : nat) : (t <= 4)%nat ->
  let n := length (at_zero t small_table) in
  dp any 1 (10000001 / 1000000000) (fin n (law (at_zero t small_table))) (fin n (law (at_shift t small_table))) /\
  dp any 1 (10000001 / 1000000000) (fin n (law (at_shift t small_table))) (fin n (law (at_zero t small_table))).
Proof.
  intros Ht n. destruct (table_ok_sound _ _ _ _ _ 4 t 1 small_table_ok e_below Ht) as [_ [_ H]]. exact H.
Qed.

(** noise.integer_table_delta: sensitivity must not be under-counted by one grid step. At a shift of 5 the outputs
    from 23 on betray the data: the same table is not even (1, 0.12)-DP. *)
Theorem small_table_edge :
  let n := length (at_zero 5 small_table) in
  ~ dp any 1 (12 / 100) (fin n (law (at_shift 5 small_table))) (fin n (law (at_zero 5 small_table))).
Proof.
  intros n H.
  specialize (H (fun k => if (23 <=? k)%nat then 1 else 0)).
  assert (T : test (fun k => if (23 <=? k)%nat then 1 else 0)) by (intros k; destruct (23 <=? k)%nat; lra).
  assert (E : exp 1 <= 2719 / 1000) by interval.
  specialize (H T I). unfold n in H. rewrite (fin_from (at_zero 5 small_table)) in H.
  change (length (at_zero 5 small_table)) with (length (at_shift 5 small_table)) in H. rewrite fin_from in H.
  assert (V : (totalZ (skipn 23 (at_shift 5 small_table)) = 10319761453383169023
              /\ totalZ (skipn 23 (at_zero 5 small_table)) = 2921888045763004778
              /\ totalZ (at_shift 5 small_table) = 18446744073709551616
              /\ totalZ (at_zero 5 small_table) = 18446744073709551616)%Z) by (vm_compute; auto).
  destruct V as [V1 [V2 [V3 V4]]]. rewrite V1, V2, V3, V4 in H. set (e := exp 1) in *. clearbody e. lra.
Qed.
