;; The nearest-neighbour scan over int8 vectors. `npm run kernel` assembles it to scan.wasm; a test compares the two.
;; scan.ts says what lies where in memory.
(module
  (import "env" "memory" (memory 1 65536 shared))

  ;; Cosines of the query, which lies at address 0, with 4 × $groups documents. $dims is a multiple of 64.
  ;; The query is unsigned 7-bit (shifted by +64), documents are signed 8-bit; $biases take 64 × their sums off again.
  (func (export "compare")
    (param $first i32) (param $dims i32) (param $groups i32)
    (param $biases i32) (param $scales i32) (param $query_scale f32) (param $cosines i32)
    (local $second i32) (local $third i32) (local $fourth i32) (local $at i32)
    (local $query v128) (local $a v128) (local $b v128) (local $c v128) (local $d v128)
    (loop $group
      (local.set $second (i32.add (local.get $first) (local.get $dims)))
      (local.set $third (i32.add (local.get $second) (local.get $dims)))
      (local.set $fourth (i32.add (local.get $third) (local.get $dims)))
      (local.set $a (v128.const i32x4 0 0 0 0))
      (local.set $b (v128.const i32x4 0 0 0 0))
      (local.set $c (v128.const i32x4 0 0 0 0))
      (local.set $d (v128.const i32x4 0 0 0 0))
      (local.set $at (i32.const 0))
      (loop $block ;; 64 dimensions of four documents at a turn: with fewer, the processor waits for memory
        (local.set $query (v128.load (local.get $at)))
        (local.set $a (i32x4.relaxed_dot_i8x16_i7x16_add_s (v128.load align=1 (local.get $first)) (local.get $query) (local.get $a)))
        (local.set $b (i32x4.relaxed_dot_i8x16_i7x16_add_s (v128.load align=1 (local.get $second)) (local.get $query) (local.get $b)))
        (local.set $c (i32x4.relaxed_dot_i8x16_i7x16_add_s (v128.load align=1 (local.get $third)) (local.get $query) (local.get $c)))
        (local.set $d (i32x4.relaxed_dot_i8x16_i7x16_add_s (v128.load align=1 (local.get $fourth)) (local.get $query) (local.get $d)))
        (local.set $query (v128.load offset=16 (local.get $at)))
        (local.set $a (i32x4.relaxed_dot_i8x16_i7x16_add_s (v128.load offset=16 align=1 (local.get $first)) (local.get $query) (local.get $a)))
        (local.set $b (i32x4.relaxed_dot_i8x16_i7x16_add_s (v128.load offset=16 align=1 (local.get $second)) (local.get $query) (local.get $b)))
        (local.set $c (i32x4.relaxed_dot_i8x16_i7x16_add_s (v128.load offset=16 align=1 (local.get $third)) (local.get $query) (local.get $c)))
        (local.set $d (i32x4.relaxed_dot_i8x16_i7x16_add_s (v128.load offset=16 align=1 (local.get $fourth)) (local.get $query) (local.get $d)))
        (local.set $query (v128.load offset=32 (local.get $at)))
        (local.set $a (i32x4.relaxed_dot_i8x16_i7x16_add_s (v128.load offset=32 align=1 (local.get $first)) (local.get $query) (local.get $a)))
        (local.set $b (i32x4.relaxed_dot_i8x16_i7x16_add_s (v128.load offset=32 align=1 (local.get $second)) (local.get $query) (local.get $b)))
        (local.set $c (i32x4.relaxed_dot_i8x16_i7x16_add_s (v128.load offset=32 align=1 (local.get $third)) (local.get $query) (local.get $c)))
        (local.set $d (i32x4.relaxed_dot_i8x16_i7x16_add_s (v128.load offset=32 align=1 (local.get $fourth)) (local.get $query) (local.get $d)))
        (local.set $query (v128.load offset=48 (local.get $at)))
        (local.set $a (i32x4.relaxed_dot_i8x16_i7x16_add_s (v128.load offset=48 align=1 (local.get $first)) (local.get $query) (local.get $a)))
        (local.set $b (i32x4.relaxed_dot_i8x16_i7x16_add_s (v128.load offset=48 align=1 (local.get $second)) (local.get $query) (local.get $b)))
        (local.set $c (i32x4.relaxed_dot_i8x16_i7x16_add_s (v128.load offset=48 align=1 (local.get $third)) (local.get $query) (local.get $c)))
        (local.set $d (i32x4.relaxed_dot_i8x16_i7x16_add_s (v128.load offset=48 align=1 (local.get $fourth)) (local.get $query) (local.get $d)))
        (local.set $first (i32.add (local.get $first) (i32.const 64)))
        (local.set $second (i32.add (local.get $second) (i32.const 64)))
        (local.set $third (i32.add (local.get $third) (i32.const 64)))
        (local.set $fourth (i32.add (local.get $fourth) (i32.const 64)))
        (br_if $block (i32.lt_u (local.tee $at (i32.add (local.get $at) (i32.const 64))) (local.get $dims))))
      (v128.store align=1 (local.get $cosines)
        (f32x4.mul
          (f32x4.mul
            (f32x4.sub
              (f32x4.convert_i32x4_s (call $sums (local.get $a) (local.get $b) (local.get $c) (local.get $d)))
              (v128.load align=1 (local.get $biases)))
            (v128.load align=1 (local.get $scales)))
          (f32x4.splat (local.get $query_scale))))
      (local.set $first (local.get $fourth))
      (local.set $biases (i32.add (local.get $biases) (i32.const 16)))
      (local.set $scales (i32.add (local.get $scales) (i32.const 16)))
      (local.set $cosines (i32.add (local.get $cosines) (i32.const 16)))
      (br_if $group (local.tee $groups (i32.sub (local.get $groups) (i32.const 1))))))

  ;; Each of four vectors summed up, the four sums as one vector.
  (func $sums (param $a v128) (param $b v128) (param $c v128) (param $d v128) (result v128)
    (local $ab v128) (local $cd v128)
    (local.set $ab (i32x4.add
      (i8x16.shuffle 0 1 2 3 16 17 18 19 4 5 6 7 20 21 22 23 (local.get $a) (local.get $b))
      (i8x16.shuffle 8 9 10 11 24 25 26 27 12 13 14 15 28 29 30 31 (local.get $a) (local.get $b))))
    (local.set $cd (i32x4.add
      (i8x16.shuffle 0 1 2 3 16 17 18 19 4 5 6 7 20 21 22 23 (local.get $c) (local.get $d))
      (i8x16.shuffle 8 9 10 11 24 25 26 27 12 13 14 15 28 29 30 31 (local.get $c) (local.get $d))))
    (i32x4.add
      (i8x16.shuffle 0 1 2 3 4 5 6 7 16 17 18 19 20 21 22 23 (local.get $ab) (local.get $cd))
      (i8x16.shuffle 8 9 10 11 12 13 14 15 24 25 26 27 28 29 30 31 (local.get $ab) (local.get $cd))))

  ;; For each of $servers: $own_share of its own cosine, the rest of its best tool's (a server without tools has its own),
  ;; at least 0; and that best one alone, at $bests. Document numbers lie at $starts, a server's own before its tools'. All four
  ;; lanes hold the same number: the vector maximum does not branch, and branches on cosines are mispredicted every other time.
  (func (export "combine")
    (param $starts i32) (param $servers i32) (param $cosines i32) (param $own_share f32) (param $scores i32)
    (param $bests i32)
    (local $at i32) (local $end i32) (local $own v128) (local $best v128)
    (loop $server
      (local.set $at
        (i32.add (local.get $cosines) (i32.shl (i32.load (local.get $starts)) (i32.const 2))))
      (local.set $end
        (i32.add (local.get $cosines) (i32.shl (i32.load offset=4 (local.get $starts)) (i32.const 2))))
      (local.set $own (v128.load32_splat (local.get $at)))
      (local.set $best (local.get $own))
      (local.set $at (i32.add (local.get $at) (i32.const 4)))
      (if (i32.lt_u (local.get $at) (local.get $end))
        (then
          (local.set $best (v128.load32_splat (local.get $at)))
          (loop $tool
            (local.set $best (f32x4.pmax (local.get $best) (v128.load32_splat (local.get $at))))
            (local.set $at (i32.add (local.get $at) (i32.const 4)))
            (br_if $tool (i32.lt_u (local.get $at) (local.get $end))))))
      (v128.store32_lane 0 (local.get $bests) (local.get $best))
      (v128.store32_lane 0 (local.get $scores)
        (f32x4.pmax
          (f32x4.add
            (local.get $best)
            (f32x4.mul (f32x4.splat (local.get $own_share)) (f32x4.sub (local.get $own) (local.get $best))))
          (v128.const f32x4 0 0 0 0)))
      (local.set $starts (i32.add (local.get $starts) (i32.const 4)))
      (local.set $scores (i32.add (local.get $scores) (i32.const 4)))
      (local.set $bests (i32.add (local.get $bests) (i32.const 4)))
      (br_if $server (local.tee $servers (i32.sub (local.get $servers) (i32.const 1)))))))
