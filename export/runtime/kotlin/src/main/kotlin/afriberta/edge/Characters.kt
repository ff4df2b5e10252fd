package afriberta.edge

/**
 * What kind of character each code point is, by one version of Unicode on every device: characters.py of the Python
 * runtime tells why. Devices know different versions, and Android 7 knows Unicode 8.
 */
internal object Characters {
    const val UNASSIGNED = 'c'
    private val letters: String
    private val ends: IntArray

    init {
        val runs = Regex("(\\D)(\\d*)").findAll(CharacterTable.TABLE).map { it.destructured }.toList()
        letters = runs.joinToString("") { (letter, _) -> letter }
        var end = 0
        ends = IntArray(runs.size) { index ->
            val (_, count) = runs[index]
            end += if (count.isEmpty()) 1 else count.toInt()
            end
        }
    }

    /** The class letter of a code point: Words.kt lists them. */
    fun classOf(code: Int): Char {
        val found = ends.binarySearch(code + 1)
        return letters[if (found < 0) found.inv() else found]
    }

    /** The class letters of a text's characters, one per code point; a lone surrogate is one too. */
    fun classes(text: String): String = buildString(text.length) { text.forEachCodePoint { append(classOf(it)) } }
}

/** Every code point in order; half a surrogate pair counts as one. */
internal inline fun String.forEachCodePoint(action: (Int) -> Unit) {
    var at = 0
    while (at < length) {
        val code = codePointAt(at)
        action(code)
        at += Character.charCount(code)
    }
}
