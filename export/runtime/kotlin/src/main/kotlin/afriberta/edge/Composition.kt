package afriberta.edge

import java.text.Normalizer

/**
 * Unicode normalization by one version of Unicode on every device.
 *
 * A device that doesn't know a mark leaves it where it stands, and what it leaves apart composes otherwise. So marks
 * are put in order here, by a table, and the device is asked only what one character decomposes to and what two
 * compose to, which no version changes (Unicode's stability policy; UAX 15).
 */
internal object Composition {
    // The only canonical composition between Unicode 8 (Android 7) and Unicode 14: Dives Akuru's vowel sign O.
    private const val LATE = "\uD806\uDD38"
    private const val LATE_PARTS = "\uD806\uDD35\uD806\uDD30"
    private const val INERT_BELOW = '\u0300' // all that stands below is what NFC makes of it

    /** `text` in a normalization form; unassigned characters stay and part what stands around them. */
    fun normalize(form: Normalizer.Form, text: String): String {
        if (form == Normalizer.Form.NFC && text.all { it < INERT_BELOW }) return text
        val classes = Characters.classes(text)
        if (Characters.UNASSIGNED !in classes) return normalizeAssigned(form, text, 'M' in classes)
        val result = StringBuilder()
        val piece = StringBuilder()
        fun flush() {
            result.append(normalizeAssigned(form, piece.toString(), 'M' in classes))
            piece.setLength(0)
        }
        var index = 0
        text.forEachCodePoint { code ->
            if (classes[index++] == Characters.UNASSIGNED) {
                flush()
                result.appendCodePoint(code)
            } else {
                piece.appendCodePoint(code)
            }
        }
        flush()
        return result.toString()
    }

    private fun normalizeAssigned(form: Normalizer.Form, text: String, marks: Boolean): String {
        if (!marks) return Normalizer.normalize(text, form)
        val compatible = form == Normalizer.Form.NFKC || form == Normalizer.Form.NFKD
        val codes = decompose(text, if (compatible) Normalizer.Form.NFKD else Normalizer.Form.NFD)
        order(codes)
        val composes = form == Normalizer.Form.NFC || form == Normalizer.Form.NFKC
        return buildString { (if (composes) compose(codes) else codes).forEach { appendCodePoint(it) } }
    }

    private fun decompose(text: String, form: Normalizer.Form): IntArray {
        val codes = ArrayList<Int>(text.length)
        text.forEachCodePoint { code ->
            val character = String(Character.toChars(code))
            val parts = if (character == LATE) LATE_PARTS else Normalizer.normalize(character, form)
            parts.forEachCodePoint(codes::add)
        }
        return codes.toIntArray()
    }

    /** Sorts every run of marks by combining class; marks of one class keep their order. */
    private fun order(codes: IntArray) {
        var at = 0
        while (at < codes.size) {
            var end = at
            while (end < codes.size && CombiningClasses.of(codes[end]) != 0) end++
            if (end - at > 1) codes.slice(at until end).sortedBy(CombiningClasses::of).forEachIndexed { i, code ->
                codes[at + i] = code
            }
            at = end + 1
        }
    }

    /** Composes ordered characters: each with the last starter before it, unless something between them blocks it. */
    private fun compose(codes: IntArray): IntArray {
        val result = IntArray(codes.size)
        var size = 0
        var starter = -1
        var last = 0 // combining class of the character before, as far as it stayed
        for (code in codes) {
            val own = CombiningClasses.of(code)
            val reached = starter >= 0 && (size - 1 == starter || (last != 0 && last < own))
            val composed = if (reached) pair(result[starter], code) else -1
            if (composed >= 0) {
                result[starter] = composed
                continue
            }
            if (own == 0) starter = size
            last = own
            result[size++] = code
        }
        return result.copyOf(size)
    }

    /** What two characters compose to, or -1. */
    private fun pair(first: Int, second: Int): Int {
        val both = StringBuilder().appendCodePoint(first).appendCodePoint(second).toString()
        val composed = if (both == LATE_PARTS) LATE else Normalizer.normalize(both, Normalizer.Form.NFC)
        val code = composed.codePointAt(0)
        return if (composed.length == Character.charCount(code)) code else -1
    }
}
