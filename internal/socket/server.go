package socket

import (
	"encoding/json"
	"net/http"

	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/query"
)

// end is the trailer behind a history: empty, or why it ends early. A history without it was cut off.
const end = "Clew-End"

// maxRequest bounds the bytes of a request.
const maxRequest = 1 << 20

// Handler serves executions to Clients.
func Handler[D any](e Executions[D]) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST "+findPath, func(w http.ResponseWriter, r *http.Request) {
		var q query.Query
		if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxRequest)).Decode(&q); err != nil {
			refuse(w, err)
			return
		}
		page, err := e.FindPage(r.Context(), q)
		answer(w, page, err)
	})
	mux.HandleFunc("POST "+groupPath, func(w http.ResponseWriter, r *http.Request) {
		var g grouping
		if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxRequest)).Decode(&g); err != nil {
			refuse(w, err)
			return
		}
		groups, err := e.Group(r.Context(), g.Query, g.By...)
		answer(w, groups, err)
	})
	mux.HandleFunc("POST "+operatePath, func(w http.ResponseWriter, r *http.Request) {
		var act Act
		if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxRequest)).Decode(&act); err != nil {
			refuse(w, err)
			return
		}
		answer(w, struct{}{}, e.Operate(r.Context(), act))
	})
	mux.HandleFunc("GET "+describePath, func(w http.ResponseWriter, r *http.Request) {
		d, err := e.Describe(r.Context(), idOf(r))
		answer(w, d, err)
	})
	mux.HandleFunc("GET "+historyPath, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/x-ndjson")
		w.Header().Set("Trailer", end)
		var line []byte
		for entry, err := range e.History(r.Context(), idOf(r)) {
			if err != nil {
				w.Header().Set(end, failureOf(err).header())
				return
			}
			line = append(history.AppendEntry(line[:0], entry), '\n')
			if _, err := w.Write(line); err != nil {
				return // nobody listens any more
			}
		}
		w.Header().Set(end, "complete")
	})
	return mux
}

// grouping is what is asked by groupPath.
type grouping struct {
	Query query.Query
	By    []string
}

func idOf(r *http.Request) history.ID {
	return history.ID{Namespace: r.FormValue("namespace"), Workflow: r.FormValue("id")}
}

func answer(w http.ResponseWriter, value any, err error) {
	text, bad := json.Marshal(value)
	if err == nil {
		err = bad
	}
	if err != nil {
		refuse(w, err)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(text) // the Client notices what is cut off
}

func refuse(w http.ResponseWriter, err error) {
	w.Header().Set(end, failureOf(err).header())
	w.WriteHeader(http.StatusUnprocessableEntity)
}
