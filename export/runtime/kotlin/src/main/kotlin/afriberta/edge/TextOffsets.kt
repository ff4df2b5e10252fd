package afriberta.edge

/**
 * Offsets of one text, from UTF-16 units (Kotlin, Java, JavaScript) to code points (Python) and UTF-8 bytes (files,
 * Go, Rust): in constant time after one pass over it. A lone surrogate counts as 3 bytes, which is what U+FFFD takes.
 */
class TextOffsets(text: String) {
    private val points: IntArray?
    private val bytes: IntArray?

    init {
        if (text.all { it < '\u0080' }) {
            points = null
            bytes = null
        } else {
            points = IntArray(text.length + 1)
            bytes = IntArray(text.length + 1)
            var at = 0
            var point = 0
            var byte = 0
            text.forEachCodePoint { code ->
                at += Character.charCount(code)
                point += 1
                byte += if (code < 0x80) 1 else if (code < 0x800) 2 else if (code < 0x10000) 3 else 4
                points[at] = point
                bytes[at] = byte
            }
        }
    }

    /** In code points: of the UTF-16 unit at [position], which begins a character or ends the text. */
    fun codePoint(position: Int): Int = points?.get(position) ?: position

    /** In UTF-8 bytes: of the UTF-16 unit at [position], which begins a character or ends the text. */
    fun byte(position: Int): Int = bytes?.get(position) ?: position
}
