// Command linearizability checks histories of single keys of the shop with porcupine, a checker that the shop's authors did
// not write.
//
//	go run . FOLDER    # every FOLDER/*.jsonl; exit code 1 where a key's history is not linearizable
//
// A line is one operation: what was asked of which key, between which two moments, and what was answered. The moments are
// places in one sequence of all beginnings and ends that the client saw.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strings"
	"time"

	"github.com/anishathalye/porcupine"
)

// Patience bounds the search for one key: histories of one key take milliseconds.
const patience = time.Minute

// Operation is one line of a history.
type Operation struct {
	// Key is "item ID", "user ID" or "order ID".
	Key string `json:"key"`
	// Kind is add, take, read, or checkout.
	Kind string `json:"kind"`
	// Amount is what add adds and take takes.
	Amount int64 `json:"amount"`
	// Before is the value before the first operation of the history; the same in all lines of one key.
	Before int64 `json:"before"`
	Began  int64 `json:"began"`
	// Ended is null where no answer told what became of the operation.
	Ended *int64 `json:"ended"`
	// Answer is done, refused or unknown.
	Answer string `json:"answer"`
	// Value is what a done operation showed: the new amount, what was read, 1 for a paid order; null where its answer tells none.
	Value *int64 `json:"value"`
}

var told = map[porcupine.CheckResult]string{
	porcupine.Illegal: "is not linearizable",
	porcupine.Unknown: fmt.Sprintf("was not decided within %s", patience),
}

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: linearizability FOLDER")
		os.Exit(2)
	}
	files, err := filepath.Glob(filepath.Join(os.Args[1], "*.jsonl"))
	if err == nil && len(files) == 0 {
		err = fmt.Errorf("%s holds no history", os.Args[1])
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(2)
	}
	keys, operations, wrong := 0, 0, 0
	for _, file := range files {
		histories, err := read(file)
		if err != nil {
			fmt.Fprintln(os.Stderr, "error:", err)
			os.Exit(2)
		}
		for _, history := range histories {
			keys++
			operations += len(history)
			if verdict := check(history); verdict != porcupine.Ok {
				wrong++
				fmt.Printf("%s: the history of %s %s\n", file, history[0].Key, told[verdict])
			}
		}
	}
	fmt.Printf("%d operations on %d keys of %d histories: %d not shown to be linearizable\n", operations, keys, len(files), wrong)
	if wrong > 0 {
		os.Exit(1)
	}
}

// read gives the operations of each key in the file.
func read(file string) ([][]Operation, error) {
	opened, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer opened.Close()
	byKey := map[string][]Operation{}
	lines := bufio.NewScanner(opened)
	lines.Buffer(nil, 1<<20)
	for number := 1; lines.Scan(); number++ {
		var operation Operation
		if err := json.Unmarshal(lines.Bytes(), &operation); err != nil {
			return nil, fmt.Errorf("%s:%d: %w", file, number, err)
		}
		if operation.Answer != "unknown" && operation.Ended == nil {
			return nil, fmt.Errorf("%s:%d: an answer without an end", file, number)
		}
		byKey[operation.Key] = append(byKey[operation.Key], operation)
	}
	histories := make([][]Operation, 0, len(byKey))
	for _, history := range byKey {
		histories = append(histories, history)
	}
	sort.Slice(histories, func(i, j int) bool { return histories[i][0].Key < histories[j][0].Key })
	return histories, lines.Err()
}

// asked is an operation as the search takes it. Operations of unknown outcome that ask for the same are of one class, and
// are numbered from 0 as they began; class is -1 for all others.
type asked struct {
	Operation
	class, number int
}

// state is a key's value, and how many operations of each class were taken.
type state struct {
	value int64
	taken string
}

// check says whether one order of the operations explains every answer, and lets no operation that began after another
// had ended come before it.
func check(history []Operation) porcupine.CheckResult {
	ranked, classes := rank(history)
	last := int64(0)
	for _, operation := range ranked {
		last = max(last, operation.Began)
		if operation.Ended != nil {
			last = max(last, *operation.Ended)
		}
	}
	operations := make([]porcupine.Operation, 0, len(ranked))
	for client, operation := range ranked {
		// What nobody knows of may take effect at any time after it began, or, behind everything else, as good as never.
		ended := last + 1
		if operation.Ended != nil {
			ended = *operation.Ended
		}
		operations = append(operations, porcupine.Operation{ClientId: client, Input: operation, Output: operation, Call: operation.Began, Return: ended})
	}
	verdict, _ := porcupine.CheckOperationsVerbose(modelOf(history[0], classes), operations, patience)
	return verdict
}

// rank leaves out the reads that nobody answered, which say nothing, and tells how many classes there are.
//
// Two operations of one class can change places in any order that explains the answers, as long as the one that began first
// comes first: it may take effect wherever the other one may. So only the order in which they began has to be tried; else
// the search would try all subsets of them.
func rank(history []Operation) (ranked []asked, classes int) {
	type likeness struct {
		kind   string
		amount int64
	}
	class := map[likeness]int{}
	var counts []int
	sorted := slices.Clone(history)
	sort.SliceStable(sorted, func(i, j int) bool { return sorted[i].Began < sorted[j].Began })
	for _, operation := range sorted {
		if operation.Answer != "unknown" {
			ranked = append(ranked, asked{operation, -1, 0})
			continue
		}
		if operation.Kind == "read" {
			continue
		}
		like := likeness{operation.Kind, operation.Amount}
		if _, known := class[like]; !known {
			class[like] = len(counts)
			counts = append(counts, 0)
		}
		ranked = append(ranked, asked{operation, class[like], counts[class[like]]})
		counts[class[like]]++
	}
	return ranked, len(counts)
}

func modelOf(first Operation, classes int) porcupine.Model {
	step := stepAmount
	if strings.HasPrefix(first.Key, "order ") {
		step = stepOrder
	}
	return porcupine.Model{
		Init: func() interface{} { return state{first.Before, strings.Repeat("\x00", classes)} },
		Step: func(before, input, _ interface{}) (bool, interface{}) {
			now, operation := before.(state), input.(asked)
			if operation.class >= 0 {
				taken := []rune(now.taken)
				if int(taken[operation.class]) != operation.number {
					return false, now
				}
				taken[operation.class]++
				now.taken = string(taken)
			}
			fits, next := step(now.value, operation.Operation)
			return fits, state{next, now.taken}
		},
	}
}

// stepAmount is a stock or a credit: it never falls below zero, and a take that would make it do so is refused.
func stepAmount(amount int64, operation Operation) (fits bool, next int64) {
	next = amount
	switch operation.Kind {
	case "add":
		next += operation.Amount
	case "take":
		next -= operation.Amount
	case "read":
	default:
		return false, amount
	}
	switch operation.Answer {
	case "done":
		return next >= 0 && (operation.Value == nil && operation.Kind != "read" || operation.Value != nil && *operation.Value == next), next
	case "refused":
		return operation.Kind == "take" && next < 0, amount
	case "unknown":
		if next < 0 {
			return true, amount
		}
		return true, next
	}
	return false, amount
}

// stepOrder is an order: 0 open, 1 paid. A refusal leaves it open and may be somebody else's fault; a paid order stays paid.
func stepOrder(paid int64, operation Operation) (fits bool, next int64) {
	switch {
	case operation.Kind == "read":
		return operation.Answer == "unknown" || operation.Value != nil && *operation.Value == paid, paid
	case operation.Kind != "checkout":
		return false, paid
	case operation.Answer == "refused":
		return paid == 0, paid
	}
	return true, 1
}
