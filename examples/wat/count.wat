;; A reactor written by hand: queries the database and answers with the result.
;;   wat2wasm count.wat && pgfn deploy count-wat --wasm count.wasm
(module
  (import "aerodb" "db_query" (func $db_query (param i32 i32 i32 i32) (result i32)))
  (import "aerodb" "result_len" (func $result_len (result i32)))
  (import "aerodb" "result_read" (func $result_read (param i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 0) "select count(*) as users from examples.users")
  (global $free (mut i32) (i32.const 1024))

  ;; Allocates behind the used part of memory, and grows memory if needed.
  (func $alloc (export "alloc") (param $length i32) (result i32)
    (local $address i32)
    (local.set $address (global.get $free))
    (global.set $free (i32.and (i32.add (i32.add (local.get $address) (local.get $length)) (i32.const 7)) (i32.const -8)))
    (if (i32.gt_u (global.get $free) (i32.mul (memory.size) (i32.const 65536)))
      (then (if (i32.eq (memory.grow (i32.add (i32.shr_u (local.get $length) (i32.const 16)) (i32.const 1))) (i32.const -1))
        (then (unreachable)))))
    (local.get $address))

  ;; The answer is the query's result, or its error: {"command", "rowCount", "rows": [{"users": 2}]}.
  (func (export "handler") (param $event i32) (param $length i32) (result i64)
    (local $answer i32)
    (drop (call $db_query (i32.const 0) (i32.const 44) (i32.const 0) (i32.const 0)))
    (local.set $answer (call $alloc (call $result_len)))
    (i64.or
      (i64.shl (i64.extend_i32_u (local.get $answer)) (i64.const 32))
      (i64.extend_i32_u (call $result_read (i32.const 0) (local.get $answer) (call $result_len))))))
