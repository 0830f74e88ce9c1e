namespace BlockRepl.Configuration.Syntax;

/// <summary>The known word that a mistyped one probably stands for.</summary>
public static class NearestWord
{
    /// <summary>Longer words are no slip of the finger but something else.</summary>
    private const int Longest = 40;

    /// <summary>" Is 'known' meant?", or nothing.</summary>
    public static string Question(string word, IEnumerable<string> known) =>
        Find(word, known) is { } near ? $" Is '{near}' meant?" : "";

    private static string? Find(string word, IEnumerable<string> known)
    {
        string? best = null;
        int bestDistance = word.Length > Longest ? 0 : Math.Max(2, word.Length / 3) + 1;
        foreach (string candidate in known)
        {
            int distance = bestDistance == 0 ? 0 : Distance(word, candidate);
            if (distance < bestDistance)
            {
                best = candidate;
                bestDistance = distance;
            }
        }

        return best;
    }

    /// <summary>How many characters must be put in, left out or replaced to make one word of the other.</summary>
    private static int Distance(string a, string b)
    {
        Span<int> row = stackalloc int[Longest + 1];
        for (int i = 0; i <= a.Length; i++)
        {
            row[i] = i;
        }

        for (int j = 1; j <= b.Length; j++)
        {
            int diagonal = row[0];
            row[0] = j;
            for (int i = 1; i <= a.Length; i++)
            {
                int replaced = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
                diagonal = row[i];
                row[i] = Math.Min(replaced, Math.Min(row[i], row[i - 1]) + 1);
            }
        }

        return row[a.Length];
    }
}
