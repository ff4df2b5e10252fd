package afriberta.edge

/**
 * What a person or an app can act on.
 *
 * @property code for programs: "missing" (a file cannot be read), "incomplete" (it has another size than the manifest
 *   says), "changed" (another digest), "damaged" (it cannot be used), "schema" (a manifest of another version) or
 *   "unsupported" (this device cannot do it). After the first three it is worth trying again.
 * @property remedy what to do next; the message ends with it.
 */
class BundleException(val code: String, message: String, val remedy: String, cause: Throwable? = null) :
    Exception("$message $remedy", cause)

/** The error for a file that is there and cannot be used. */
internal fun damaged(file: String, reason: String, cause: Throwable? = null): BundleException =
    BundleException("damaged", "$file cannot be used: $reason.", "Copy or download the bundle again.", cause)

/** What an error says, on one line that others can end. */
internal fun reasonOf(error: Throwable): String =
    (error.message ?: error.toString()).substringBefore('\n').trimEnd('.')
