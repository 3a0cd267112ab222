package socket

import (
	"encoding/json"
	"net/http"
	"strconv"

	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/query"
)

// end is the trailer behind a history: empty, or why it ends early. A history without it was cut off.
const end = "Clew-End"

// maxRequest bounds the bytes of a request.
const maxRequest = 1 << 20

// maxIDs bounds the bytes of a request that may name executions one by one.
const maxIDs = 1 << 30

// maxAnchor bounds the bytes of a request that has an anchor, which has a line for each history.
const maxAnchor = 4 << 30

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
	mux.HandleFunc("POST "+measurePath, func(w http.ResponseWriter, r *http.Request) {
		var g grouping
		if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxRequest)).Decode(&g); err != nil {
			refuse(w, err)
			return
		}
		measures, err := e.Measure(r.Context(), g.Query, g.Of, g.By...)
		answer(w, measures, err)
	})
	mux.HandleFunc("POST "+operatePath, func(w http.ResponseWriter, r *http.Request) {
		var act Act
		if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxRequest)).Decode(&act); err != nil {
			refuse(w, err)
			return
		}
		run, err := e.Operate(r.Context(), act)
		answer(w, run, err)
	})
	mux.HandleFunc("POST "+erasePath, func(w http.ResponseWriter, r *http.Request) {
		var act Act
		if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxIDs)).Decode(&act); err != nil {
			refuse(w, err)
			return
		}
		erased, err := e.Erase(r.Context(), act)
		answer(w, erased, err)
	})
	mux.HandleFunc("POST "+exportPath, func(w http.ResponseWriter, r *http.Request) {
		var act Act
		if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxIDs)).Decode(&act); err != nil {
			refuse(w, err)
			return
		}
		w.Header().Set("Content-Type", "application/x-ndjson")
		w.Header().Set("Trailer", end)
		if err := e.Export(r.Context(), w, act); err != nil {
			w.Header().Set(end, failureOf(err).header())
			return
		}
		w.Header().Set(end, "complete")
	})
	mux.HandleFunc("POST "+actsPath, func(w http.ResponseWriter, r *http.Request) {
		var q acts
		if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxRequest)).Decode(&q); err != nil {
			refuse(w, err)
			return
		}
		all, err := e.Acts(r.Context(), q.Namespace, q.Question)
		answer(w, all, err)
	})
	mux.HandleFunc("POST "+verifyPath, func(w http.ResponseWriter, r *http.Request) {
		var q Verification
		if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxAnchor)).Decode(&q); err != nil {
			refuse(w, err)
			return
		}
		report, err := e.Verify(r.Context(), q)
		answer(w, report, err)
	})
	mux.HandleFunc("GET "+anchorPath, func(w http.ResponseWriter, r *http.Request) {
		anchor, err := e.Anchor(r.Context())
		answer(w, anchor, err)
	})
	mux.HandleFunc("GET "+describePath, func(w http.ResponseWriter, r *http.Request) {
		d, err := e.Describe(r.Context(), idOf(r))
		answer(w, d, err)
	})
	mux.HandleFunc("GET "+historyPath, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/x-ndjson")
		w.Header().Set("Trailer", end)
		var line []byte
		for entry, err := range e.History(r.Context(), idOf(r), r.FormValue("by")) {
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
	mux.HandleFunc("GET "+feedPath, func(w http.ResponseWriter, r *http.Request) {
		after, err := strconv.ParseUint(r.FormValue("after"), 10, 64)
		if err != nil {
			refuse(w, err)
			return
		}
		w.Header().Set("Content-Type", "application/x-ndjson")
		w.Header().Set("Trailer", end)
		lines := json.NewEncoder(w)
		for changed, err := range e.Feed(r.Context(), r.FormValue("namespace"), after, r.FormValue("go_on") != "") {
			if err == nil {
				err = lines.Encode(changed)
			}
			if err != nil {
				w.Header().Set(end, failureOf(err).header())
				return
			}
			if r.FormValue("go_on") != "" {
				_ = http.NewResponseController(w).Flush() // the next line may take long
			}
		}
		w.Header().Set(end, "complete")
	})
	return mux
}

// acts is what is asked by actsPath.
type acts struct {
	Namespace string
	Question  json.RawMessage
}

// grouping is what is asked by groupPath and measurePath.
type grouping struct {
	Query query.Query
	By    []string
	Of    string `json:",omitempty"` // what is measured
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
