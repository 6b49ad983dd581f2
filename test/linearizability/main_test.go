package main

import (
	"slices"
	"testing"

	"github.com/anishathalye/porcupine"
)

// at makes an operation on one key; without an end its outcome is unknown.
func at(key, kind string, began, ended, value int64, answer string) Operation {
	operation := Operation{Key: key, Kind: kind, Amount: 1, Began: began, Answer: answer}
	if answer != "unknown" {
		operation.Ended, operation.Value = &ended, &value
	}
	return operation
}

func TestHistories(t *testing.T) {
	const item, order = "item 1", "order 1"
	for _, example := range []struct {
		what    string
		history []Operation
		fine    bool
	}{
		{"one after the other", []Operation{at(item, "add", 0, 1, 1, "done"), at(item, "add", 2, 3, 2, "done"), at(item, "read", 4, 5, 2, "done")}, true},
		{"two at once in either order", []Operation{at(item, "add", 0, 3, 2, "done"), at(item, "add", 1, 2, 1, "done")}, true},
		{"a lost update", []Operation{at(item, "add", 0, 2, 1, "done"), at(item, "add", 1, 3, 1, "done")}, false},
		{"a stale read", []Operation{at(item, "add", 0, 1, 1, "done"), at(item, "read", 2, 3, 0, "done")}, false},
		{"a value that was shown is taken back", []Operation{at(item, "add", 0, 9, 1, "done"), at(item, "read", 1, 2, 1, "done"), at(item, "read", 3, 4, 0, "done")}, false},
		{"an unknown one that was done", []Operation{at(item, "add", 0, 0, 0, "unknown"), at(item, "read", 2, 3, 1, "done")}, true},
		{"an unknown one that was not", []Operation{at(item, "add", 0, 0, 0, "unknown"), at(item, "read", 2, 3, 0, "done")}, true},
		{"an unknown one that comes and goes", []Operation{at(item, "add", 0, 0, 0, "unknown"), at(item, "read", 2, 3, 1, "done"), at(item, "read", 4, 5, 0, "done")}, false},
		{"a take that there was enough for is refused", []Operation{at(item, "add", 0, 1, 1, "done"), at(item, "take", 2, 3, 0, "refused")}, false},
		{"a take of what is not there is done", []Operation{at(item, "take", 0, 1, -1, "done")}, false},
		{"an order is paid, and is paid when asked again", []Operation{at(order, "checkout", 0, 1, 1, "done"), at(order, "checkout", 2, 3, 1, "done")}, true},
		{"a paid order is refused", []Operation{at(order, "checkout", 0, 1, 1, "done"), at(order, "checkout", 2, 3, 0, "refused")}, false},
		{"a paid order is open", []Operation{at(order, "checkout", 0, 1, 1, "done"), at(order, "read", 2, 3, 0, "done")}, false},
		{"an order that nobody answered for is paid", []Operation{at(order, "checkout", 0, 0, 0, "unknown"), at(order, "read", 2, 3, 1, "done")}, true},
	} {
		if fine := check(example.history) == porcupine.Ok; fine != example.fine {
			t.Errorf("%s: linearizable is %v", example.what, fine)
		}
	}
}

// Operations of unknown outcome are taken in the order in which they began, or this would try each of 2^60 subsets.
func TestManyUnknownOutcomes(t *testing.T) {
	const item, order = "item 1", "order 1"
	history := []Operation{{Key: item, Kind: "add", Amount: 60, Began: 0, Answer: "unknown"}}
	orders := []Operation{}
	for i := int64(1); i <= 60; i++ {
		history = append(history, at(item, "take", i, 0, 0, "unknown"), at(item, "read", i, 0, 0, "unknown"))
		orders = append(orders, at(order, "checkout", i, 0, 0, "unknown"), at(order, "read", i, 0, 0, "unknown"))
	}
	for _, example := range []struct {
		what    string
		history []Operation
		verdict porcupine.CheckResult
	}{
		{"half of them were done", append(slices.Clone(history), at(item, "read", 70, 71, 30, "done"), at(item, "read", 72, 73, 0, "done")), porcupine.Ok},
		{"one came back", append(slices.Clone(history), at(item, "read", 70, 71, 30, "done"), at(item, "read", 72, 73, 31, "done")), porcupine.Illegal},
		{"a paid order is open", append(slices.Clone(orders), at(order, "read", 70, 71, 1, "done"), at(order, "read", 72, 73, 0, "done")), porcupine.Illegal},
	} {
		if verdict := check(example.history); verdict != example.verdict {
			t.Errorf("%s: %s", example.what, verdict)
		}
	}
}
