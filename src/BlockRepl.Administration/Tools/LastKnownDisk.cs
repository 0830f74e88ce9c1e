using System.Globalization;

namespace BlockRepl.Administration.Tools;

/// <summary>
/// How large a backing disk was when it was last looked at, as DRBD's tools remember it: internal meta data lie where
/// the disk ended then.
/// </summary>
/// <param name="DeviceUuid">That of the meta data; null if it is not known.</param>
public sealed record LastKnownDisk(long Bytes, string Disk, ulong? DeviceUuid)
{
    private const string UuidLabel = "uuid:";

    /// <summary>Null if nothing that can be understood is remembered.</summary>
    public static LastKnownDisk? Read(string path)
    {
        string[] lines;
        try
        {
            lines = File.ReadAllLines(path);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            return null;
        }

        if (lines is not [{ } first, ..] || first.Split('\t', 2) is not [{ } size, { } disk]
            || !long.TryParse(size, NumberStyles.None, CultureInfo.InvariantCulture, out long bytes))
        {
            return null;
        }

        ulong uuid = 0;
        bool hasUuid = lines.Length > 1 && lines[1].StartsWith(UuidLabel, StringComparison.Ordinal) && ulong.TryParse(
            lines[1].AsSpan(UuidLabel.Length).Trim(), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture,
            out uuid);
        return new LastKnownDisk(bytes, disk, hasUuid ? uuid : null);
    }

    /// <returns>Null, or why it could not be remembered.</returns>
    public string? Write(string path)
    {
        try
        {
            Directory.CreateDirectory(Path.GetDirectoryName(path)!);
            string next = path + ".new";
            File.WriteAllText(next, string.Create(CultureInfo.InvariantCulture, $"{Bytes}\t{Disk}\n")
                + (DeviceUuid is { } uuid
                    ? string.Create(CultureInfo.InvariantCulture, $"{UuidLabel}\t{uuid:X16}\n")
                    : ""));
            File.Move(next, path, overwrite: true);
            return null;
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            return $"the size of {Disk} could not be remembered in {path}: {error.Message}";
        }
    }
}
