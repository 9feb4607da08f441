package compose

// tree arranges the body of a checked message as mail clients expect it:
// mixed(alternative(text, related(html, images)), files), leaving out every
// multipart that would have one child.
func (m *Message) tree() *part {
	if m.Entity != nil {
		return m.Entity.root.part()
	}
	var images, files []*part
	for i := range m.Attachments {
		a := &m.Attachments[i]
		if m.inline(a) {
			images = append(images, filePart(a, i, "inline"))
		} else {
			files = append(files, filePart(a, i, "attachment"))
		}
	}
	parts := files
	if main := m.textTree(images); main != nil {
		parts = append([]*part{main}, files...)
	}
	switch len(parts) {
	case 0:
		return textPart(plainText, "")
	case 1:
		return parts[0]
	}
	return multipart("mixed", nil, nil, parts...)
}

// textTree arranges Text, HTML and the images in it. It is nil if there are
// none.
func (m *Message) textTree(images []*part) *part {
	if m.HTML == "" {
		if m.Text == "" {
			return nil
		}
		return textPart(plainText, m.Text)
	}
	html := textPart(htmlText, m.HTML)
	if len(images) > 0 {
		// RFC 2387 section 3.1: type is that of the first part.
		html = multipart("related", []param{{"type", htmlText}}, nil, append([]*part{html}, images...)...)
	}
	if m.Text == "" {
		return html
	}
	// RFC 2046 section 5.1.4: the preferred one last.
	return multipart("alternative", nil, nil, textPart(plainText, m.Text), html)
}

// textPart returns a leaf of text, in the first of 7bit, quoted-printable and
// base64 that suits it.
func textPart(mediaType, text string) *part {
	canonical := canonicalText(text)
	encoding, content := encodeText(canonical)
	return &part{
		header: newHeader(
			typeField("Content-Type", mediaType, param{"charset", "utf-8"}),
			encodingField(encoding)),
		body: content,
	}
}

func encodeText(canonical []byte) (string, body) {
	switch {
	case isRobust(canonical):
		return "7bit", verbatim(canonical)
	case favoursBase64(canonical):
		return "base64", encodedData(canonical)
	}
	return "quoted-printable", quotedText(canonical)
}

func encodingField(encoding string) []byte {
	return []byte("Content-Transfer-Encoding: " + encoding + "\r\n")
}

// filePart returns a leaf for attachment i of the message.
func filePart(a *Attachment, i int, disposition string) *part {
	mediaType, params, _ := attachmentType(a)
	var typed, shown []param
	if name := cleanFileName(a.Name); name != "" {
		shown = []param{{"filename", name}}
		// For clients that know only the older parameter, and no RFC 2231.
		typed = []param{{"name", asciiFileName(name)}}
	}
	fields := [][]byte{
		typeField("Content-Type", mediaType, append(sorted(params), typed...)...),
		encodingField("base64"),
		typeField("Content-Disposition", disposition, shown...),
	}
	if a.ContentID != "" {
		fields = append(fields, []byte("Content-ID: <"+a.ContentID+">\r\n"))
	}
	return &part{header: newHeader(fields...), body: &file{open: a.Open, index: i}}
}
