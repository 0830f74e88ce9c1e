namespace BlockRepl.FrontEnd.Devices;

/// <summary>The kernel's list of mounts, /proc/PID/mountinfo.</summary>
internal static class MountTable
{
    public const string OwnPath = "/proc/self/mountinfo";

    /// <summary>
    /// Device number (major:minor) and mount point of a line: 36 35 98:0 /root /mnt options and more; blanks within
    /// names are written \040.
    /// </summary>
    public static bool TryParse(string line, out string number, out string point)
    {
        var fields = line.Split(' ');
        var valid = fields.Length > 5;
        (number, point) = valid ? (fields[2], Unescape(fields[4])) : ("", "");
        return valid;
    }

    /// <summary>The mount points in a folder, once for each mount.</summary>
    public static IEnumerable<string> PointsIn(string folder) =>
        from line in File.ReadAllLines(OwnPath)
        where TryParse(line, out _, out var point) && Path.GetDirectoryName(point) == folder
        select Point(line);

    /// <summary>Undoes the kernel's octal escapes of blanks, tabs, newlines and backslashes.</summary>
    public static string Unescape(string text)
    {
        if (!text.Contains('\\', StringComparison.Ordinal))
        {
            return text;
        }

        var plain = new System.Text.StringBuilder(text.Length);
        for (var i = 0; i < text.Length; i++)
        {
            if (text[i] == '\\' && i + 3 < text.Length && text.AsSpan(i + 1, 3).IndexOfAnyExceptInRange('0', '7') < 0)
            {
                plain.Append((char)Convert.ToInt32(text.Substring(i + 1, 3), 8));
                i += 3;
            }
            else
            {
                plain.Append(text[i]);
            }
        }

        return plain.ToString();
    }

    private static string Point(string line) => TryParse(line, out _, out var point) ? point : "";
}
