"""Messages, reports and questions as the person sees them; values come in, text goes out."""
