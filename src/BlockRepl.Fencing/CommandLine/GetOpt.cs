namespace BlockRepl.Fencing.CommandLine;

/// <summary>
/// Cuts a command line as the C library's getopt does, because scripts rely on it: options before, between and behind
/// the other words, "-Wv" for "-W -v", "-d/dev/sda" and "-d /dev/sda", "--" ends the options.
/// </summary>
internal static class GetOpt
{
    /// <summary>One option in its order; <paramref name="Letter"/> is zero for a word that is none.</summary>
    public readonly record struct Item(char Letter, string Value);

    /// <param name="letters">As getopt's: a letter with a colon behind it takes a value.</param>
    /// <param name="wordsEndOptions">POSIXLY_CORRECT: what follows the first other word is no option.</param>
    /// <exception cref="UsageException">An unknown option, or a value is missing; when its turn comes.</exception>
    public static IEnumerable<Item> Cut(IReadOnlyList<string> arguments, string letters, bool wordsEndOptions)
    {
        var onlyWords = false;
        for (var i = 0; i < arguments.Count; i++)
        {
            var argument = arguments[i];
            if (onlyWords || argument.Length < 2 || argument[0] != '-')
            {
                onlyWords |= wordsEndOptions;
                yield return new Item('\0', argument);
                continue;
            }

            if (argument == "--")
            {
                onlyWords = true;
                continue;
            }

            for (var at = 1; at < argument.Length; at++)
            {
                var letter = argument[at];
                var known = letter == ':' ? -1 : letters.IndexOf(letter, StringComparison.Ordinal);
                if (known < 0)
                {
                    throw new UsageException($"sbd: invalid option -- '{letter}'");
                }

                if (known + 1 == letters.Length || letters[known + 1] != ':')
                {
                    yield return new Item(letter, "");
                    continue;
                }

                if (at + 1 < argument.Length)
                {
                    yield return new Item(letter, argument[(at + 1)..]);
                }
                else if (++i < arguments.Count)
                {
                    yield return new Item(letter, arguments[i]);
                }
                else
                {
                    throw new UsageException($"sbd: option requires an argument -- '{letter}'");
                }

                break;
            }
        }
    }
}

/// <summary>The command line cannot be used: the usage is printed.</summary>
internal sealed class UsageException(string message) : Exception(message);

/// <summary>It cannot be done, and the message says why; the usage would not help.</summary>
internal sealed class SbdException(string message) : Exception(message);
