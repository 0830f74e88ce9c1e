namespace BlockRepl.Configuration.Syntax;

/// <summary>
/// Shell patterns for one file name: <c>* ? [abc] [a-z] [!x]</c>. A leading dot must be matched literally.
/// </summary>
internal static class GlobPattern
{
    public static bool HasWildcards(string text) => text.AsSpan().ContainsAny('*', '?', '[');

    /// <summary>
    /// Time is bounded by the product of the lengths: after a mismatch only the last star is tried further.
    /// </summary>
    public static bool IsMatch(string pattern, string name)
    {
        if (name.StartsWith('.') && !pattern.StartsWith('.'))
        {
            return false;
        }

        int p = 0;
        int n = 0;
        int starAt = -1;
        int starMatched = 0;
        while (n < name.Length)
        {
            if (p < pattern.Length && pattern[p] == '*')
            {
                starAt = p++;
                starMatched = n;
            }
            else if (p < pattern.Length && MatchesOne(pattern, p, name[n], out int next))
            {
                p = next;
                n++;
            }
            else if (starAt >= 0)
            {
                p = starAt + 1;
                n = ++starMatched;
            }
            else
            {
                return false;
            }
        }

        return pattern.AsSpan(p).IndexOfAnyExcept('*') < 0;
    }

    private static bool MatchesOne(string pattern, int p, char c, out int next)
    {
        next = p + 1;
        if (pattern[p] != '[')
        {
            return pattern[p] == '?' || pattern[p] == c;
        }

        int end = p + 2 < pattern.Length ? pattern.IndexOf(']', p + 2) : -1;
        if (end < 0)
        {
            return c == '[';
        }

        next = end + 1;
        bool negated = pattern[p + 1] is '!' or '^';
        bool found = false;
        for (int i = p + (negated ? 2 : 1); i < end; i++)
        {
            if (i + 2 < end && pattern[i + 1] == '-')
            {
                found |= c >= pattern[i] && c <= pattern[i + 2];
                i += 2;
            }
            else
            {
                found |= pattern[i] == c;
            }
        }

        return found != negated;
    }
}
