package main

import (
	"math"
	"testing"
	"time"
)

func TestMedian(t *testing.T) {
	for _, v := range []struct {
		in   []float64
		want float64
	}{{nil, 0}, {[]float64{3}, 3}, {[]float64{9, 1, 5}, 5}, {[]float64{4, 1, 2, 100}, 3}} {
		if got := median(v.in); got != v.want {
			t.Errorf("median(%v) = %v, want %v", v.in, got, v.want)
		}
	}
	in := []float64{3, 1, 2}
	if median(in); in[0] != 3 {
		t.Error("median changed its argument")
	}
}

func TestPercentile(t *testing.T) {
	hundred := make([]int64, 100)
	for i := range hundred {
		hundred[i] = int64(i + 1)
	}
	for _, v := range []struct {
		in   []int64
		p    float64
		want time.Duration
	}{
		{nil, 0.5, 0},
		{[]int64{7}, 0, 7}, {[]int64{7}, 0.5, 7}, {[]int64{7}, 1, 7},
		{[]int64{1, 2}, 0.5, 1}, {[]int64{1, 2}, 0.51, 2},
		{hundred, 0.50, 50}, {hundred, 0.99, 99}, {hundred, 0.999, 100}, {hundred, 1, 100}, {hundred, 0, 1},
	} {
		if got := percentile(v.in, v.p); got != v.want {
			t.Errorf("percentile of %d values at %v = %d, want %d", len(v.in), v.p, got, v.want)
		}
	}
}

func TestRatios(t *testing.T) {
	got := ratios([]float64{1, 4, 9, 5}, []float64{2, 0, 3})
	if len(got) != 2 || math.Abs(got[0]-0.5) > 1e-9 || math.Abs(got[1]-3) > 1e-9 {
		t.Errorf("ratios = %v, want [0.5 3]", got)
	}
}
