"""Still pictures: decoding what comes in, drawing, colours, and files with their origin written into them."""
