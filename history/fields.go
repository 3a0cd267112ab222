package history

// What most events are made of.

func takeText(r *reader, key, want string, into *string) bool {
	if key == want {
		*into = r.text()
	}
	return key == want
}

func takePayload(r *reader, key, want string, into *Payload) bool {
	if key == want {
		r.payload(key, into)
	}
	return key == want
}

func takeStep(r *reader, key string, into *Step) bool {
	if key == "step" {
		*into = Step(r.num())
	}
	return key == "step"
}
