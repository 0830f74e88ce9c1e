using System.Globalization;
using BlockRepl.Fencing.CommandLine;

namespace BlockRepl.Fencing.Watch;

/// <summary>The file with the daemon's process number: ten columns and a line end, as others read it.</summary>
internal sealed class PidFile : IDisposable
{
    private readonly string _path;

    private PidFile(string path) => _path = path;

    /// <exception cref="SbdException">A daemon of the same program runs, or it cannot be written.</exception>
    public static PidFile? Take(string? path)
    {
        if (path is null)
        {
            return null;
        }

        try
        {
            if (File.Exists(path) && FindRunning(File.ReadAllText(path)) is { } running)
            {
                throw new SbdException($"sbd runs already as process {running} ({path})");
            }

            var fresh = $"{path}.{Environment.ProcessId}";
            File.WriteAllText(fresh, string.Create(CultureInfo.InvariantCulture, $"{Environment.ProcessId,10}\n"));
            File.Move(fresh, path, overwrite: true);
            return new PidFile(path);
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            throw new SbdException($"{path} cannot be written: {failure.Message}");
        }
    }

    public void Dispose() => File.Delete(_path);

    /// <summary>The number in the file, if that process lives and is this program.</summary>
    private static int? FindRunning(string text) =>
        int.TryParse(text.Trim(), CultureInfo.InvariantCulture, out var pid) && pid != Environment.ProcessId
        && Program(pid) is { } program && program == Program(Environment.ProcessId)
            ? pid
            : null;

    private static string? Program(int pid)
    {
        try
        {
            return new FileInfo($"/proc/{pid}/exe").LinkTarget;
        }
        catch (IOException)
        {
            return null;
        }
    }
}
