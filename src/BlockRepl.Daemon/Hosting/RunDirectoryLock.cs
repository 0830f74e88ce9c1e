using System.Diagnostics;
using BlockRepl.Administration;

namespace BlockRepl.Daemon.Hosting;

/// <summary>Sole possession of a run directory: two daemons there would answer for each other's resources.</summary>
internal sealed class RunDirectoryLock : IDisposable
{
    /// <summary>Each attempt costs processor time that the process that is about to end wants.</summary>
    private static readonly TimeSpan Poll = TimeSpan.FromMilliseconds(10);

    private readonly FileStream _file;

    private RunDirectoryLock(FileStream file) => _file = file;

    /// <summary>
    /// Creates the directory if need be and takes the lock, which ends with the process, however it ends.
    /// </summary>
    /// <param name="patience">How long another process may still hold it that is about to end.</param>
    /// <exception cref="StartupException">The directory cannot be used, or another daemon has it.</exception>
    public static RunDirectoryLock Take(NodeLocation location, TimeSpan patience = default)
    {
        if (location.ControlSocketPath.Length > NodeLocation.LongestSocketPath)
        {
            throw new StartupException(
                $"the path {location.ControlSocketPath} is longer than {NodeLocation.LongestSocketPath} characters, "
                + "which no socket can have; choose a shorter --run-dir.");
        }

        try
        {
            Directory.CreateDirectory(location.RunDirectory);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw new StartupException(
                $"the run directory {location.RunDirectory} cannot be created: {error.Message} Run as root, or choose "
                + "another with --run-dir.");
        }

        long began = Stopwatch.GetTimestamp();
        while (true)
        {
            try
            {
                return Take(location.LockPath);
            }
            catch (UnauthorizedAccessException error)
            {
                throw new StartupException(
                    $"{location.LockPath}: {error.Message} Run as root, or choose another --run-dir.");
            }
            catch (IOException) when (Stopwatch.GetElapsedTime(began) < patience)
            {
                Thread.Sleep(Poll);
            }
            catch (IOException error)
            {
                throw new StartupException(
                    $"the run directory {location.RunDirectory} is in use by another blockrepld ({error.Message}). "
                    + "Stop that one, or choose another --run-dir.");
            }
        }
    }

    private static RunDirectoryLock Take(string path)
    {
        var file = new FileStream(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
        file.SetLength(0);
        file.Write(System.Text.Encoding.ASCII.GetBytes($"{Environment.ProcessId}\n"));
        file.Flush();
        return new RunDirectoryLock(file);
    }

    public void Dispose() => _file.Dispose();
}
