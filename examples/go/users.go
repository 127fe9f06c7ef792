// A WASI command in Go that queries the database as the caller and answers HTTP. Go 1.21 or newer.
//
//	GOOS=wasip1 GOARCH=wasm go build -ldflags=-s -o users.wasm users.go && pgfn deploy users-go --wasm users.wasm
package main

import (
	"encoding/json"
	"errors"
	"log"
	"os"
	"runtime"
	"unsafe"
)

//go:wasmimport aerodb db_query
func dbQuery(sql unsafe.Pointer, sqlLength uint32, parameters unsafe.Pointer, parametersLength uint32) int32

//go:wasmimport aerodb result_len
func resultLength() uint32

//go:wasmimport aerodb result_read
func resultRead(offset uint32, buffer unsafe.Pointer, length uint32) int32

// query runs a statement with $1, $2 ...; its result is JSON.
func query(sql string, parameters ...any) (json.RawMessage, error) {
	values, err := json.Marshal(append([]any{}, parameters...))
	if err != nil {
		return nil, err
	}
	status := dbQuery(
		unsafe.Pointer(unsafe.StringData(sql)), uint32(len(sql)),
		unsafe.Pointer(unsafe.SliceData(values)), uint32(len(values)))
	runtime.KeepAlive(values)
	result := make([]byte, resultLength())
	resultRead(0, unsafe.Pointer(unsafe.SliceData(result)), uint32(len(result)))
	if status != 0 {
		return nil, errors.New(string(result))
	}
	return result, nil
}

type response struct {
	StatusCode int               `json:"statusCode"`
	Headers    map[string]string `json:"headers,omitempty"`
	Body       any               `json:"body"`
}

func main() {
	log.SetFlags(0)
	var event struct {
		Method string `json:"method"`
	}
	if err := json.NewDecoder(os.Stdin).Decode(&event); err != nil {
		log.Fatal(err) // writes a line to the log and fails the invocation
	}
	log.Printf("%s got a %s", os.Args[0], event.Method)

	answer := response{StatusCode: 200, Headers: map[string]string{"x-language": "Go"}}
	users, err := query("select id, email from examples.users order by email limit $1", 20)
	if err != nil {
		log.Print(err)
		answer = response{StatusCode: 503, Body: map[string]string{"error": "The users can't be read just now."}}
	} else {
		answer.Body = users
	}
	if err := json.NewEncoder(os.Stdout).Encode(answer); err != nil {
		log.Fatal(err)
	}
}
